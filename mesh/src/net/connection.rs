//! One byte stream between two services, or from a client.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::ServerConnection;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::tls::Handshake;

/// A TCP connection (without Nagle's delay), with or without TLS, or one end of an in-memory
/// duplex.
#[derive(Debug)]
pub struct Connection(Inner);

#[derive(Debug)]
enum Inner {
    Tcp(TcpStream),
    Memory(DuplexStream),
    /// Becomes `Tls` when it is read or written.
    Handshake(Box<Handshake>),
    Tls(Box<TlsStream<TcpStream>>),
    /// The handshake failed.
    Broken,
}

/// What a connection is made of, for who needs the socket itself (`try_write`, readiness).
#[derive(Debug)]
pub enum Parts {
    /// TCP without TLS.
    Tcp(TcpStream),
    /// TCP with TLS, accepted; the session may hold bytes that came already.
    Tls(TcpStream, Box<ServerConnection>),
    /// Anything else, whole.
    Other(Connection),
}

impl Connection {
    pub(super) fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self(Inner::Tcp(stream)))
    }

    pub(super) const fn memory(stream: DuplexStream) -> Self {
        Self(Inner::Memory(stream))
    }

    pub(super) fn handshake(handshake: Handshake) -> Self {
        Self(Inner::Handshake(Box::new(handshake)))
    }

    /// A connection whose handshake is done.
    pub fn tls(stream: impl Into<TlsStream<TcpStream>>) -> Self {
        Self(Inner::Tls(Box::new(stream.into())))
    }

    /// Address of the other end; `None` in memory or when it is gone already.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.socket()?.peer_addr().ok()
    }

    /// True when it is encrypted.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        matches!(self.0, Inner::Handshake(_) | Inner::Tls(_))
    }

    fn socket(&self) -> Option<&TcpStream> {
        match &self.0 {
            Inner::Tcp(stream) => Some(stream),
            Inner::Handshake(handshake) => handshake.socket(),
            Inner::Tls(stream) => Some(stream.get_ref().0),
            Inner::Memory(_) | Inner::Broken => None,
        }
    }

    /// Takes the connection apart.
    #[must_use]
    pub fn into_parts(self) -> Parts {
        match self.0 {
            Inner::Tcp(stream) => Parts::Tcp(stream),
            Inner::Tls(stream) => match *stream {
                TlsStream::Server(stream) => {
                    let (socket, session) = stream.into_inner();
                    Parts::Tls(socket, Box::new(session))
                }
                client @ TlsStream::Client(_) => Parts::Other(Self(Inner::Tls(Box::new(client)))),
            },
            other => Parts::Other(Self(other)),
        }
    }

    /// Sees the handshake through, if one is under way.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&mut Inner>> {
        if let Inner::Handshake(handshake) = &mut self.0 {
            self.0 = match ready!(handshake.poll(cx)) {
                Ok(stream) => Inner::Tls(Box::new(stream.into())),
                Err(error) => {
                    self.0 = Inner::Broken;
                    return Poll::Ready(Err(error));
                }
            };
        }
        Poll::Ready(Ok(&mut self.0))
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.socket().map_or(TcpConnectInfo { local_addr: None, remote_addr: None }, |stream| {
            stream.connect_info()
        })
    }
}

fn broken<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match ready!(self.get_mut().poll_ready(cx))? {
            Inner::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Inner::Memory(stream) => Pin::new(stream).poll_read(cx, buffer),
            Inner::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            Inner::Handshake(_) | Inner::Broken => broken(),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match ready!(self.get_mut().poll_ready(cx))? {
            Inner::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Inner::Memory(stream) => Pin::new(stream).poll_write(cx, bytes),
            Inner::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Inner::Handshake(_) | Inner::Broken => broken(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match ready!(self.get_mut().poll_ready(cx))? {
            Inner::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Inner::Memory(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Inner::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Inner::Handshake(_) | Inner::Broken => broken(),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Inner::Tcp(stream) => stream.is_write_vectored(),
            Inner::Memory(stream) => stream.is_write_vectored(),
            Inner::Handshake(_) | Inner::Tls(_) => true,
            Inner::Broken => false,
        }
    }

    /// Nothing waits before the handshake is through, and nothing after it failed.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Inner::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Inner::Memory(stream) => Pin::new(stream).poll_flush(cx),
            Inner::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Inner::Handshake(_) | Inner::Broken => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Inner::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Inner::Memory(stream) => Pin::new(stream).poll_shutdown(cx),
            Inner::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Inner::Handshake(_) | Inner::Broken => Poll::Ready(Ok(())),
        }
    }
}
