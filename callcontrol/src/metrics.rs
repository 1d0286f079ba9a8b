//! The metrics of the service beside those that every RPC has.

use mesh::metrics::Counter;

mesh::metrics! {
    /// The metrics of the service beside those that every RPC has.
    pub METRICS;
    NODES_SWEPT: Counter<0> =
        Counter::new("callcontrol_nodes_swept_total", "Switch nodes found lost.", &[]);
    LEGS_SWEPT: Counter<0> = Counter::new(
        "callcontrol_legs_swept_total",
        "Legs ended because their switch node was lost.",
        &[],
    );
}
