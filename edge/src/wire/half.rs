//! What tungstenite is given as its stream: it reads from the socket and writes into the
//! [`Outbound`], so that its pongs and closes queue up with everything else.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::io::Reader;
use super::{Frame, Outbound};

/// Reads the socket, writes the outbound.
#[derive(Debug)]
pub(crate) struct Half {
    reader: Reader,
    outbound: Arc<Outbound>,
    waker: Waker,
}

impl Half {
    pub(crate) fn new(reader: Reader, outbound: Arc<Outbound>) -> Self {
        Self { reader, outbound, waker: Waker::noop().clone() }
    }

    /// Names the task to wake when bytes come.
    pub(crate) fn set_waker(&mut self, waker: &Waker) {
        self.waker.clone_from(waker);
    }

    /// Reads past tungstenite; 0 when the peer has ended.
    pub(crate) fn poll_discard(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.reader.poll_read(cx, bytes)
    }
}

impl Read for Half {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self.reader.poll_read(&mut Context::from_waker(&self.waker), bytes) {
            Poll::Ready(read) => read,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Half {
    /// Takes everything, always, so that what comes next begins with a frame again.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for frame in Frame::split(bytes) {
            // A frame that is refused has nobody to go to: the socket is closing.
            self.outbound.push(frame);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.outbound.flush();
        Ok(())
    }
}
