//! One request on its way through the edge.

use std::sync::Arc;

use mesh::token::TokenError;
use proto::api::Method;

use super::Fault;
use crate::edge::Edge;
use crate::entrance::Entrance;
use crate::live::Activation;
use crate::session::Session;
use crate::socket::Socket;

/// Where a request came from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// A WebSocket.
    Socket(Arc<Socket>),
    /// A REST request.
    Rest(Entrance),
}

impl Origin {
    /// How it came in.
    pub(crate) fn entrance(&self) -> &Entrance {
        match self {
            Self::Socket(socket) => &socket.entrance,
            Self::Rest(entrance) => entrance,
        }
    }

    /// The socket, if it is one.
    pub(crate) const fn socket(&self) -> Option<&Arc<Socket>> {
        match self {
            Self::Socket(socket) => Some(socket),
            Self::Rest(_) => None,
        }
    }

    /// For metrics.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Socket(_) => "websocket",
            Self::Rest(_) => "rest",
        }
    }
}

/// One request that passed the checks.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) edge: &'a Arc<Edge>,
    pub(crate) method: &'static Method,
    pub(crate) origin: &'a Origin,
    /// Absent only for a method that may be called without.
    pub(crate) session: Option<Arc<Session>>,
    /// Generation of the socket's session when the request was checked.
    pub(crate) generation: u64,
    /// The application's `request_id`.
    pub(crate) request_id: Option<&'a str>,
}

impl Call<'_> {
    /// The session, for methods that cannot be called without.
    pub(crate) fn session(&self) -> Result<&Arc<Session>, Fault> {
        self.session.as_ref().ok_or_else(|| Fault::not_authenticated(self.method))
    }

    /// Verifies a token.
    pub(crate) async fn verify(&self, token: &str) -> Result<Arc<Session>, TokenError> {
        self.edge.session_of(self.origin.entrance(), token).await
    }
}

/// A result, and what is to be done when it has been sent.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The result as JSON.
    pub(crate) result: Vec<u8>,
    pub(crate) after: After,
}

/// What is to be done when an answer has been sent.
#[derive(Debug)]
pub(crate) enum After {
    Nothing,
    /// Lets events of a subscription follow.
    Activate(Activation),
    /// Closes the socket: its session was ended.
    CloseRevoked,
    /// Has the browser keep a session's token.
    SetCookie {
        token: String,
        expires_in: i64,
    },
}

impl Outcome {
    /// A result with nothing to follow.
    pub(crate) fn new(result: &impl proto::json::Message) -> Self {
        Self { result: result.to_json(), after: After::Nothing }
    }

    /// Adds a list that was asked for and is empty: the contract leaves out lists that were not.
    pub(crate) fn with_empty_list(mut self, name: &str) -> Self {
        if self.result.pop().is_some() {
            self.result.extend_from_slice(format!(",\"{name}\":[]}}").as_bytes());
        }
        self
    }

    /// With something to follow.
    pub(crate) fn then(self, after: After) -> Self {
        Self { after, ..self }
    }
}
