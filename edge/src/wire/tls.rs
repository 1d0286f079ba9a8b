//! A TLS session between a socket and its two halves.
//!
//! What is written enters the session under the lock of the socket's `Outbound`, so records hold
//! frames in the order of the queue; the session's own lock is taken inside it and never the
//! other way round. The session keeps at most [`BUFFER`] bytes that the socket has yet to take:
//! more is not encrypted before they have left.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use rustls::ServerConnection;
use tokio::net::TcpStream;

/// Bytes of records that wait for the socket.
const BUFFER: usize = 16 * 1024;

/// A socket with its TLS session. Both halves share it.
#[derive(Debug)]
pub(crate) struct Tls {
    socket: TcpStream,
    session: Mutex<ServerConnection>,
}

impl Tls {
    pub(crate) fn new(socket: TcpStream, mut session: ServerConnection) -> Arc<Self> {
        session.set_buffer_limit(Some(BUFFER));
        Arc::new(Self { socket, session: Mutex::new(session) })
    }

    /// Reads some bytes; 0 when the peer has ended.
    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut session = self.session.lock();
        loop {
            match session.reader().read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Cut off without TLS' own goodbye; WebSockets have one of theirs.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Ok(0));
                }
                read => return Poll::Ready(read),
            }
            match session.read_tls(&mut Raw(&self.socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_read_ready(cx))?;
                    continue;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
            let processed = session.process_new_packets();
            // An alert, or the answer to a new key: it may wait for the next write.
            let drained = self.poll_drain(&mut session, cx);
            processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if let Poll::Ready(Err(error)) = drained {
                return Poll::Ready(Err(error));
            }
        }
    }

    /// Encrypts some of `slices` and gives the socket what it takes.
    pub(crate) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut session = self.session.lock();
        ready!(self.poll_drain(&mut session, cx))?;
        let written = session.writer().write_vectored(slices)?;
        match self.poll_drain(&mut session, cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // What the socket does not take goes first next time.
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(written)),
        }
    }

    /// Gives the socket what was encrypted.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_drain(&mut self.session.lock(), cx)
    }

    /// Says that nothing more will be written. The socket stays: that its records ended says it.
    pub(crate) fn poll_end(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut session = self.session.lock();
        session.send_close_notify();
        self.poll_drain(&mut session, cx)
    }

    fn poll_drain(
        &self,
        session: &mut ServerConnection,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while session.wants_write() {
            match session.write_tls(&mut Raw(&self.socket)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_write_ready(cx))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The socket as it is: no task's budget is charged, whoever writes.
struct Raw<'a>(&'a TcpStream);

impl io::Read for Raw<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(bytes)
    }
}

impl io::Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
