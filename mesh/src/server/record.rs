//! What is noted of every request: rate, errors, duration.

use tokio::time::Instant;
use tonic::Code;
use tracing::Span;

use crate::own_metrics::{RPC_DURATION, RPC_HANDLED, RPC_IN_FLIGHT};
use crate::{fault, trace};

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
        RPC_IN_FLIGHT.add(1, [service, method]);
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
        RPC_IN_FLIGHT.add(-1, [self.service, self.method]);
        RPC_DURATION.record(self.began.elapsed(), [self.service, self.method]);
        RPC_HANDLED.add(1, [self.service, self.method, code]);
    }
}
