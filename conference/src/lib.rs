//! conference
