//! What is noted of every request: rate, errors, duration.

use std::sync::LazyLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, UpDownCounter};
use tokio::time::Instant;
use tonic::Code;
use tracing::Span;

use crate::{fault, metrics, trace};

struct Instruments {
    handled: Counter<u64>,
    duration: Histogram<f64>,
    in_flight: UpDownCounter<i64>,
}

static INSTRUMENTS: LazyLock<Instruments> = LazyLock::new(|| {
    let meter = metrics::meter("mesh");
    Instruments {
        handled: meter
            .u64_counter("mesh_rpc_handled")
            .with_description("RPCs answered or abandoned, by service, method and gRPC code.")
            .build(),
        duration: meter
            .f64_histogram("mesh_rpc_duration")
            .with_unit("s")
            .with_description("Time from a request's head to the end of its answer.")
            .with_boundaries(metrics::SECONDS.to_vec())
            .build(),
        in_flight: meter
            .i64_up_down_counter("mesh_rpc_in_flight")
            .with_description("RPCs under way.")
            .build(),
    }
});

/// Notes one request when dropped: as cancelled unless a code was set before.
#[derive(Debug)]
pub(super) struct Record {
    service: &'static str,
    method: &'static str,
    began: Instant,
    code: Code,
    span: Span,
    context: trace::Context,
}

impl Record {
    pub(super) fn begin(
        service: &'static str,
        method: &'static str,
        span: Span,
        context: trace::Context,
    ) -> Self {
        let labels = [KeyValue::new("service", service), KeyValue::new("method", method)];
        INSTRUMENTS.in_flight.add(1, &labels);
        Self { service, method, began: Instant::now(), code: Code::Cancelled, span, context }
    }

    /// The answer ended with this code.
    pub(super) const fn set_code(&mut self, code: Code) {
        self.code = code;
    }

    /// Runs `work` inside the request's span and trace.
    pub(super) fn inside<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.in_scope(|| trace::sync_scope(self.context, work))
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let code = fault::code_name(self.code);
        self.span.record("code", code);
        let mut labels =
            vec![KeyValue::new("service", self.service), KeyValue::new("method", self.method)];
        INSTRUMENTS.in_flight.add(-1, &labels);
        INSTRUMENTS.duration.record(self.began.elapsed().as_secs_f64(), &labels);
        labels.push(KeyValue::new("code", code));
        INSTRUMENTS.handled.add(1, &labels);
    }
}
