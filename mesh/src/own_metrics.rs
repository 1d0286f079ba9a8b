//! The metrics that every service has.

use crate::metrics::{Counter, Gauge, Histogram, Label, SECONDS, UpDown, Values};

const SERVICE: Label = Label { name: "service", values: Values::Services };
const METHOD: Label = Label { name: "method", values: Values::Rpcs };
const CODE: Label = Label { name: "code", values: Values::Codes };

crate::metrics! {
    /// The metrics that every service has.
    pub METRICS;
    RPC_HANDLED: Counter<3> = Counter::new(
        "mesh_rpc_handled_total",
        "RPCs answered or abandoned, by gRPC code.",
        &[SERVICE, METHOD, CODE],
    );
    RPC_DURATION: Histogram<2> = Histogram::new(
        "mesh_rpc_duration_seconds",
        "Time from an RPC's head to the end of its answer.",
        &SECONDS,
        &[SERVICE, METHOD],
    );
    RPC_IN_FLIGHT: UpDown<2> =
        UpDown::new("mesh_rpc_in_flight", "RPCs under way.", &[SERVICE, METHOD]);
    CERTIFICATE_EXPIRES: Gauge<1> = Gauge::new(
        "mesh_tls_certificate_expires_timestamp_seconds",
        "End of the certificate in use, seconds since 1970; of the public port's the one read last.",
        &[Label::of("certificate", &["public", "mesh"])],
    );
    POOL_CONNECTED: UpDown<1> = UpDown::new(
        "mesh_pool_connected",
        "Instances of a service that this process is connected to.",
        &[SERVICE],
    );
}
