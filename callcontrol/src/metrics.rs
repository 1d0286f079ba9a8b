//! The metrics of the service beside those that every RPC has.

use std::sync::LazyLock;

use mesh::metrics::meter;
use opentelemetry::metrics::Counter;

/// Legs that ended because their node was lost.
pub(crate) static LEGS_SWEPT: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter("callcontrol")
        .u64_counter("callcontrol_legs_swept")
        .with_description("Legs ended because their switch node was lost.")
        .build()
});

/// Nodes found lost.
pub(crate) static NODES_SWEPT: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter("callcontrol")
        .u64_counter("callcontrol_nodes_swept")
        .with_description("Switch nodes found lost.")
        .build()
});
