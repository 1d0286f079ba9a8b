//! The connections: one that all commands share, and one for each reader that
//! blocks. They are opened when needed and dropped at the first sign of trouble,
//! so that the next command opens a new one, to whichever server is master then.
//!
//! Every command has the command time-out as its bound, connecting included. A
//! connection that let a command time out is not used again: it may be half
//! open. What was sent on it may still be executed, later than what is sent
//! anew; `ledger::protocol` is made for that.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, Pipeline, RedisError, RedisResult, Script,
    ServerErrorKind, Value,
};
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};

use super::source::Source;
use crate::ledger::StoreError;

/// What is asked of the store.
#[derive(Debug)]
pub(super) enum Request<'a> {
    /// A command.
    Command(Cmd),
    /// Several commands, with one answer each.
    Pipeline(Pipeline),
    /// A script, called by its hash; loaded first when the store does not know it.
    Script(&'a Script, Cmd),
}

impl Request<'_> {
    async fn send(&self, connection: &mut MultiplexedConnection) -> RedisResult<Value> {
        match self {
            Self::Command(command) => command.query_async(connection).await,
            Self::Pipeline(pipeline) => pipeline.query_async(connection).await,
            Self::Script(script, command) => match command.query_async(connection).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    script.load_async(connection).await?;
                    command.query_async(connection).await
                }
                outcome => outcome,
            },
        }
    }
}

/// Whether a request may be sent again when the connection broke under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// Twice is as good as once.
    Harmless,
    /// The second would get another answer.
    Never,
}

/// All connections to the store.
#[derive(Debug)]
pub(super) struct Link {
    source: Source,
    timeout: Duration,
    shared: RwLock<Option<Shared>>,
    /// Held while a shared connection is opened, so that one is.
    opening: tokio::sync::Mutex<()>,
    opened: AtomicU64,
    has_warned: AtomicBool,
}

#[derive(Clone, Debug)]
struct Shared {
    connection: MultiplexedConnection,
    number: u64,
}

impl Link {
    pub(super) fn new(source: Source, timeout: Duration) -> Self {
        Self {
            source,
            timeout,
            shared: RwLock::new(None),
            opening: tokio::sync::Mutex::new(()),
            opened: AtomicU64::new(0),
            has_warned: AtomicBool::new(false),
        }
    }

    /// Asks on the shared connection.
    pub(super) async fn ask(
        &self,
        request: &Request<'_>,
        again: Again,
    ) -> Result<Value, StoreError> {
        let deadline = Instant::now() + self.timeout;
        let mut may_repeat = again == Again::Harmless;
        loop {
            let mut shared = within(deadline, self.shared()).await?.map_err(|e| refused(&e))?;
            match within(deadline, request.send(&mut shared.connection)).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => {
                    if breaks(&error) {
                        self.discard(shared.number);
                    }
                    if !(may_repeat && error.is_connection_dropped()) {
                        return Err(refused(&error));
                    }
                    may_repeat = false;
                }
                Err(timed_out) => {
                    self.discard(shared.number);
                    return Err(timed_out);
                }
            }
        }
    }

    /// Asks on a connection of the caller's own, which the store may keep waiting for `wait`.
    /// After a failure the connection is to be dropped.
    pub(super) async fn ask_and_wait(
        &self,
        connection: &mut MultiplexedConnection,
        request: &Request<'_>,
        wait: Duration,
    ) -> Result<Value, StoreError> {
        let deadline = Instant::now() + wait + self.timeout;
        within(deadline, request.send(connection)).await?.map_err(|error| refused(&error))
    }

    /// Opens a connection for a reader that blocks.
    pub(super) async fn open_own(&self) -> Result<MultiplexedConnection, StoreError> {
        let deadline = Instant::now() + self.timeout;
        within(deadline, self.open()).await?.map_err(|error| refused(&error))
    }

    async fn open(&self) -> RedisResult<MultiplexedConnection> {
        // Time-outs are ours: a reader's depends on how long it wants to wait.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(None);
        Box::pin(self.source.open(&config)).await
    }

    async fn shared(&self) -> RedisResult<Shared> {
        if let Some(shared) = self.shared.read().clone() {
            return Ok(shared);
        }
        let _opening = self.opening.lock().await;
        if let Some(shared) = self.shared.read().clone() {
            return Ok(shared);
        }
        let mut connection = self.open().await?;
        self.check_policy(&mut connection).await;
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let shared = Shared { connection, number };
        *self.shared.write() = Some(shared.clone());
        Ok(shared)
    }

    fn discard(&self, number: u64) {
        let mut shared = self.shared.write();
        if shared.as_ref().is_some_and(|shared| shared.number == number) {
            *shared = None;
        }
    }

    /// Says so, once, when the store may drop keys to make room: events and calls would be lost
    /// without anybody noticing.
    async fn check_policy(&self, connection: &mut MultiplexedConnection) {
        let mut command = redis::cmd("CONFIG");
        command.arg("GET").arg("maxmemory-policy");
        match command.query_async::<Vec<String>>(connection).await {
            Ok(answer) => {
                if let Some(policy) = answer.get(1)
                    && policy != "noeviction"
                    && !self.has_warned.swap(true, Ordering::Relaxed)
                {
                    warn!(%policy, "redis may evict keys: set maxmemory-policy to noeviction");
                }
            }
            Err(error) => {
                debug!(kind = ?error.kind(), "redis does not tell its eviction policy");
            }
        }
    }
}

async fn within<T>(
    deadline: Instant,
    work: impl Future<Output = T> + Send,
) -> Result<T, StoreError> {
    timeout_at(deadline, work).await.map_err(|_| StoreError { message: "timed out".to_owned() })
}

/// Whether the connection is to be given up: it failed, or the server is not (any more) one that
/// can be written to.
fn breaks(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading
        ),
        ErrorKind::Extension => false,
        _ => true,
    }
}

/// Tells the failure without the addresses, keys and values of the client library's own text.
fn refused(error: &RedisError) -> StoreError {
    debug!(kind = ?error.kind(), detail = error.detail(), "redis request failed");
    let message = match (error.code(), error.kind()) {
        (Some(code), _) => format!("refused with {code}"),
        (None, ErrorKind::Io) if error.is_timeout() => "timed out".to_owned(),
        (None, ErrorKind::Io) if error.is_connection_refusal() => "connection refused".to_owned(),
        (None, ErrorKind::Io) => "connection lost".to_owned(),
        (None, _) => error.category().to_owned(),
    };
    StoreError { message }
}
