//! The two directions of a connection: reading belongs to the socket's task, writing to whoever
//! has something to say.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mesh::net::{Connection, Parts};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::tls::Tls;

/// Takes bytes as far as the peer does.
pub(crate) trait Sink: Send + fmt::Debug + 'static {
    /// Writes some of `slices`; when nothing can be written, `cx` is woken when something can.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Gives the peer what was taken and has not left yet.
    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Says to the peer that nothing more comes. Called until it is done, and not again.
    fn poll_end(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The reading direction.
#[derive(Debug)]
pub(crate) enum Reader {
    /// A TCP socket.
    Tcp(OwnedReadHalf),
    /// A TCP socket with TLS.
    Tls(Arc<Tls>),
    /// Anything else.
    Other(ReadHalf<Connection>),
}

/// The writing direction.
#[derive(Debug)]
pub(crate) enum Writer {
    /// A TCP socket.
    Tcp(OwnedWriteHalf),
    /// A TCP socket with TLS.
    Tls(Arc<Tls>),
    /// Anything else.
    Other(WriteHalf<Connection>),
}

/// Parts a connection.
pub(crate) fn split(connection: Connection) -> (Reader, Writer) {
    match connection.into_parts() {
        Parts::Tcp(stream) => {
            let (reader, writer) = stream.into_split();
            (Reader::Tcp(reader), Writer::Tcp(writer))
        }
        Parts::Tls(stream, session) => {
            let tls = Tls::new(stream, *session);
            (Reader::Tls(Arc::clone(&tls)), Writer::Tls(tls))
        }
        Parts::Other(other) => {
            let (reader, writer) = tokio::io::split(other);
            (Reader::Other(reader), Writer::Other(writer))
        }
    }
}

impl Reader {
    /// Reads some bytes; 0 when the peer has ended.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if let Self::Tls(tls) = self {
            return tls.poll_read(cx, bytes);
        }
        let mut buffer = ReadBuf::new(bytes);
        ready!(match self {
            Self::Tls(_) => Poll::Ready(Ok(())),
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, &mut buffer),
            Self::Other(stream) => Pin::new(stream).poll_read(cx, &mut buffer),
        })?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl Sink for Writer {
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            // Straight to the socket: tokio's own `poll_write` would charge the budget of the
            // task that fans an event out, and refuse after some sockets.
            Self::Tcp(stream) => loop {
                let written = match slices {
                    [one] => stream.try_write(one),
                    many => stream.try_write_vectored(many),
                };
                match written {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        ready!(stream.as_ref().poll_write_ready(cx))?;
                    }
                    written => return Poll::Ready(written),
                }
            },
            Self::Tls(tls) => tls.poll_write(cx, slices),
            Self::Other(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tls(tls) => tls.poll_flush(cx),
            Self::Tcp(_) | Self::Other(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(tls) => tls.poll_end(cx),
            Self::Other(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
