//! Makes the attempts.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use mesh::fault::chain;
use mesh::outward::Limits;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{Webhooks, secrets};
use crate::domain::deliveries::{Attempt, Fate, Outcome, Post};
use crate::metrics;

/// Bytes of an answer that are read before it is dropped.
const ANSWER_BYTES: usize = 1 << 20;

impl Webhooks {
    /// Sends what is due until `stop`, and then waits for what is in flight.
    pub(super) async fn send(&self, stop: CancellationToken) {
        let mut attempts = FuturesUnordered::new();
        loop {
            if stop.is_cancelled() {
                if attempts.is_empty() {
                    return;
                }
            } else {
                while let Some((attempt, post)) = self.desk.next(Instant::now()) {
                    attempts.push(self.attempt(attempt, post));
                }
            }
            let deadline = self.desk.next_deadline();
            let paused = async {
                match deadline {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some((attempt, post, outcome)) = attempts.next() => {
                    self.note(&attempt, &post, outcome);
                }
                () = self.desk.changed.notified() => {}
                () = paused => {}
                () = stop.cancelled(), if !stop.is_cancelled() => {}
            }
        }
    }

    async fn attempt(&self, attempt: Attempt, post: Arc<Post>) -> (Attempt, Arc<Post>, Outcome) {
        let seconds = self.clock.now().as_millis() / 1000;
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let signature = self.secrets.sign(post.i_customer, &post.body, seconds);
        if let Some(signature) = signature.and_then(|it| HeaderValue::from_str(&it).ok()) {
            headers.insert(HeaderName::from_static(secrets::HEADER), signature);
        }
        let limits = Limits { timeout: self.config.attempt_timeout, max_bytes: ANSWER_BYTES };
        let sending =
            self.client.send(Method::POST, &post.address, headers, post.body.clone(), limits);
        let outcome = match sending.await {
            Ok(answer) if answer.status.is_success() => Outcome::Taken,
            Ok(answer) => {
                debug!(target = %post.address, status = answer.status.as_u16(), "webhook not taken");
                Outcome::Failed
            }
            Err(error) => {
                debug!(target = %post.address, error = chain(&error), "webhook not taken");
                Outcome::Failed
            }
        };
        (attempt, post, outcome)
    }

    fn note(&self, attempt: &Attempt, post: &Post, outcome: Outcome) {
        let fate = self.desk.ended(attempt, outcome, Instant::now());
        metrics::webhook_attempted(outcome);
        if fate == Fate::GivenUp {
            metrics::webhook_given_up();
            warn!(target = %post.address, i_customer = post.i_customer, "webhook given up");
        }
    }
}
