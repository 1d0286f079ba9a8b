//! For whom and until when a request is handled.

use std::sync::Arc;
use std::time::Duration;

use crate::caller::{self, Caller, Scope};
use crate::clock::{Clock, Timestamp};
use crate::{deadline, metadata};
use tokio::time::Instant;
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Status};

/// What is kept back of the time for an answer, so that the refusal "no answer" gets through.
const RESERVE: Duration = Duration::from_millis(50);

/// For whom and until when a request is handled.
#[derive(Debug)]
pub struct Session {
    /// The verified caller.
    pub caller: Arc<Caller>,
    /// The public method that is called.
    pub method: String,
    /// When there must be an answer.
    pub deadline: Instant,
    /// The request without its message, to pass its metadata on.
    origin: Request<()>,
}

impl Session {
    /// Takes a request apart. `method` is what is called when the metadata do not say it.
    ///
    /// # Errors
    /// When the request came without a token.
    pub fn of<T>(request: Request<T>, method: &str) -> Result<(Self, T), Status> {
        let caller = caller::of(&request)?;
        let now = Instant::now();
        let left = deadline::of(&request).saturating_duration_since(now);
        let deadline = now + left.saturating_sub(RESERVE.min(left / 10));
        let (metadata, _, message) = request.into_parts();
        let method = metadata::text(&metadata, metadata::METHOD).unwrap_or(method).to_owned();
        let origin = Request::from_parts(metadata, Extensions::default(), ());
        Ok((Self { caller, method, deadline, origin }, message))
    }

    /// A request made for this session.
    #[must_use]
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        metadata::forward(&self.origin, &mut request);
        deadline::set(&mut request, self.deadline);
        request
    }

    /// What the session may see.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.caller.scope
    }

    /// True when the session has a subscription.
    #[must_use]
    pub fn is_subscribed(&self) -> bool {
        metadata::text(self.metadata(), metadata::SUBSCRIBED) == Some("1")
    }

    /// True when the application asks over REST.
    #[must_use]
    pub fn is_rest(&self) -> bool {
        metadata::text(self.metadata(), metadata::TRANSPORT) == Some(metadata::TRANSPORT_REST)
    }

    /// The deadline as wall time, for the switch.
    #[must_use]
    pub fn deadline_time(&self, clock: &Clock) -> Timestamp {
        clock.now().plus(self.deadline.saturating_duration_since(Instant::now()))
    }

    /// The session as the switch is told of it.
    #[must_use]
    pub fn switch_caller(&self, request_id: Option<&str>) -> proto::switch::v1::Caller {
        let i_reseller = match *self.scope() {
            Scope::Reseller { i_reseller } => i_reseller,
            Scope::Everything | Scope::Customer { .. } | Scope::Account { .. } => 0,
        };
        proto::switch::v1::Caller {
            realm: self.scope().realm().into(),
            i_reseller,
            i_customer: self.scope().i_customer().unwrap_or(0),
            i_account: self.scope().i_account().unwrap_or(0),
            login: self.caller.login.clone(),
            method: self.method.clone(),
            request_id: request_id.map(str::to_owned),
        }
    }

    fn metadata(&self) -> &MetadataMap {
        self.origin.metadata()
    }
}
