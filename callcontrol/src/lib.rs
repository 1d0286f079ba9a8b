//! callcontrol
