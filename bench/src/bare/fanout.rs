//! The floor of a delivery: a WebSocket server that writes what it is given, as one shared frame,
//! straight to each of its sockets; what it got meanwhile goes in the same write. No log, no scopes,
//! no sessions, no budget. A message is given on the control port: its length in four bytes, then
//! itself; with one more word first, the number of the one socket that gets it, or 0 for all.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use tokio::io::{AsyncReadExt as _, Interest};
use tokio::net::{TcpListener, TcpStream};

/// Bytes that the control port reads at once; what is in them is sent together.
const GULP: usize = 256 * 1024;

/// One socket, and what it has not taken yet.
struct Socket {
    stream: TcpStream,
    left: RefCell<Vec<u8>>,
}

type Sockets = Rc<RefCell<Vec<Rc<Socket>>>>;

pub(crate) async fn run() -> anyhow::Result<()> {
    let (listener, address) = super::listen().await?;
    let (control, control_address) = super::listen().await?;
    super::say_ready(&[("listen", address), ("control", control_address)]);
    let sockets = Sockets::default();
    let local = tokio::task::LocalSet::new();
    local.spawn_local(accept_all(listener, Rc::clone(&sockets)));
    local.run_until(obey(control, sockets)).await
}

async fn accept_all(listener: TcpListener, sockets: Sockets) {
    while let Ok((mut stream, _)) = listener.accept().await {
        if super::accept(&mut stream).await.is_err() {
            continue;
        }
        let socket = Rc::new(Socket { stream, left: RefCell::default() });
        sockets.borrow_mut().push(Rc::clone(&socket));
        tokio::task::spawn_local(keep(socket));
    }
}

/// Reads what a client sends, and writes what its socket refused before.
async fn keep(socket: Rc<Socket>) -> io::Result<()> {
    let mut scratch = [0; 256];
    loop {
        let wanted = if socket.left.borrow().is_empty() {
            Interest::READABLE
        } else {
            Interest::READABLE | Interest::WRITABLE
        };
        let ready = socket.stream.ready(wanted).await?;
        if ready.is_readable() {
            match socket.stream.try_read(&mut scratch) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if ready.is_writable() {
            let mut left = socket.left.borrow_mut();
            match socket.stream.try_write(&left) {
                Ok(written) => drop(left.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn write(socket: &Socket, bytes: &[u8]) {
    let mut left = socket.left.borrow_mut();
    let written = if left.is_empty() { socket.stream.try_write(bytes).unwrap_or(0) } else { 0 };
    left.extend_from_slice(bytes.get(written..).unwrap_or_default());
}

async fn obey(control: TcpListener, sockets: Sockets) -> anyhow::Result<()> {
    loop {
        let (mut stream, _) = control.accept().await?;
        let mut bytes = Vec::with_capacity(GULP);
        let mut frames = Vec::new();
        while stream.read_buf(&mut bytes).await? > 0 {
            let mut used = 0;
            frames.clear();
            while let Some((to, message, length)) = next(bytes.get(used..).unwrap_or_default()) {
                used += length;
                if to == 0 {
                    encode(message, &mut frames);
                } else if let Some(socket) = sockets.borrow().get(to - 1) {
                    let mut one = Vec::new();
                    encode(message, &mut one);
                    write(socket, &one);
                }
            }
            drop(bytes.drain(..used));
            if !frames.is_empty() {
                for socket in sockets.borrow().iter() {
                    write(socket, &frames);
                }
            }
            // Sockets that refused are looked after before more is taken in.
            tokio::task::yield_now().await;
        }
    }
}

/// The next order: to whom, what, and how long the order is.
fn next(bytes: &[u8]) -> Option<(usize, &[u8], usize)> {
    let word = |at: usize| -> Option<usize> {
        let word: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(word)).ok()
    };
    let (to, length) = (word(0)?, word(4)?);
    Some((to, bytes.get(8..8 + length)?, 8 + length))
}

/// Appends a text frame (RFC 6455, section 5.2).
fn encode(message: &[u8], out: &mut Vec<u8>) {
    out.push(0x81);
    match u16::try_from(message.len()) {
        Ok(length) if length < 126 => out.push(u8::try_from(length).unwrap_or_default()),
        Ok(length) => {
            out.push(126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            out.push(127);
            out.extend_from_slice(&(message.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(message);
}
