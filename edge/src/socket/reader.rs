//! The task of one socket: reads messages, and writes what the socket refused before.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes, WebSocket};

use super::Socket;
use super::close::Reason;
use super::registry::Place;
use crate::edge::Edge;
use crate::rpc;
use crate::wire::half::Half;
use crate::wire::io::Reader;

/// Bytes that are read at once from a client whose frames are not looked at any more.
const SCRATCH: usize = 1024;

/// Reads one socket until it ends.
#[derive(Debug)]
pub(crate) struct SocketTask {
    edge: Arc<Edge>,
    socket: Arc<Socket>,
    messages: WebSocket<Half>,
    phase: Phase,
    _place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Messages are read.
    Messages,
    /// What comes is thrown away: the client gets to read the close frame before the socket is
    /// gone, which a reset would take from it. It is told that nothing follows the close frame, so
    /// that it need not wait.
    Discarding,
    /// The close handshake is done; the last frames leave.
    Leaving,
}

impl Drop for SocketTask {
    fn drop(&mut self) {
        self.edge.leave(&self.socket);
    }
}

impl SocketTask {
    /// `leftover` was read together with the handshake.
    pub(crate) fn new(
        edge: Arc<Edge>,
        socket: Arc<Socket>,
        reader: Reader,
        leftover: &[u8],
        place: Place,
    ) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(edge.config.read_buffer_bytes)
            .write_buffer_size(0)
            .max_message_size(Some(edge.config.max_message_bytes))
            .max_frame_size(Some(edge.config.max_message_bytes));
        let half = Half::new(reader, Arc::clone(&socket.outbound));
        let messages =
            WebSocket::from_partially_read(half, leftover.to_vec(), Role::Server, Some(config));
        Self { edge, socket, messages, phase: Phase::Messages, _place: place }
    }

    /// Runs until the socket is over.
    pub(crate) async fn run(mut self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.messages.get_mut().set_waker(cx.waker());
        let flushed = self.socket.outbound.poll_flush(cx);
        if matches!(flushed, Poll::Ready(Err(_))) {
            return Poll::Ready(());
        }
        loop {
            match self.phase {
                Phase::Messages => {
                    if self.socket.in_flight() >= self.edge.config.max_requests_in_flight {
                        // The request that ends next wakes this task.
                        return Poll::Pending;
                    }
                    match self.messages.read() {
                        Ok(message) => self.message(message),
                        Err(error) => ready!(self.stopped(error)),
                    }
                }
                Phase::Discarding => ready!(self.discard(cx)),
                Phase::Leaving => {
                    self.socket.outbound.end();
                    return self.socket.outbound.poll_flush(cx).map(|_flushed| ());
                }
            }
        }
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Text(text) if self.socket.outbound.is_open() => self.request(text),
            Message::Binary(_) => self.refuse(Reason::NotText),
            Message::Pong(_) => self.socket.times.unanswered.store(0, Ordering::Relaxed),
            // A request after a close frame; and what tungstenite answers itself.
            Message::Text(_) | Message::Ping(_) | Message::Close(_) | Message::Frame(_) => {}
        }
    }

    fn request(&self, text: Utf8Bytes) {
        self.socket.times.message.store(self.edge.sockets.now(), Ordering::Relaxed);
        let in_flight = self.socket.begin_request(self.edge.config.max_requests_in_flight);
        let (edge, socket) = (Arc::clone(&self.edge), Arc::clone(&self.socket));
        self.edge.tasks.spawn(async move {
            rpc::answer::socket_frame(&edge, &socket, &text).await;
            drop(in_flight);
        });
    }

    /// Pending when there is nothing to read for now; else the phase has changed.
    fn stopped(&mut self, error: Error) -> Poll<()> {
        match error {
            Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Error::ConnectionClosed | Error::AlreadyClosed => self.phase = Phase::Leaving,
            Error::Capacity(CapacityError::MessageTooLong { .. }) => self.refuse(Reason::TooLong),
            Error::Utf8(_) => self.refuse(Reason::NotUtf8),
            Error::Protocol(
                tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )
            | Error::Io(_) => self.give_up(),
            _ => self.refuse(Reason::Protocol),
        }
        Poll::Ready(())
    }

    fn refuse(&mut self, reason: Reason) {
        self.socket.close(reason);
        self.phase = Phase::Discarding;
    }

    fn give_up(&mut self) {
        self.socket.outbound.abort();
        self.phase = Phase::Leaving;
    }

    fn discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.socket.outbound.end();
        if matches!(self.socket.outbound.poll_flush(cx), Poll::Ready(Err(_))) {
            self.phase = Phase::Leaving;
            return Poll::Ready(());
        }
        let mut scratch = [0; SCRATCH];
        match ready!(self.messages.get_mut().poll_discard(cx, &mut scratch)) {
            Ok(1..) => {}
            Ok(0) | Err(_) => self.give_up(),
        }
        Poll::Ready(())
    }
}
