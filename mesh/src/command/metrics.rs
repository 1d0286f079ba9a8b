//! How commands to the switch fare, in every service that sends any.

use crate::metrics::{Counter, Gauge, Histogram, Label, SECONDS};

/// What came of sending a command to a node.
const OUTCOMES: Label =
    Label::of("outcome", &["done", "refused", "not_sent", "no_answer", "bad_answer"]);

crate::metrics! {
    /// The metrics of services that command the switch.
    pub METRICS;
    COMMANDS: Counter<1> = Counter::new(
        "mesh_commands_total",
        "Commands sent to switch nodes, by outcome.",
        &[OUTCOMES],
    );
    COMMAND_DURATION: Histogram<0> = Histogram::new(
        "mesh_command_duration_seconds",
        "Time from sending a command to a switch node to its answer.",
        &SECONDS,
        &[],
    );
    NODES: Gauge<0> = Gauge::new(
        "mesh_switch_nodes",
        "Switch nodes that take calls, as this process knows them.",
        &[],
    );
}
