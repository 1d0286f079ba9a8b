//! The way from the driver to Asterisk, on which single requests come to nothing.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::Phones;
use crate::pbx::{PASSWORD, USER};

/// Says of a request, by its method and path, whether it is answered 503 instead of passed on.
pub(crate) type Rule = dyn Fn(&str) -> bool + Send + Sync;

const REFUSAL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Starts the way to Asterisk's `port`; gives its URL.
pub(crate) async fn way_to(port: u16, phones: &Phones, fails: Arc<Rule>) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let (tasks, stop) = (phones.tasks.clone(), phones.stop.clone());
    phones.tasks.spawn(async move {
        let accepting = async {
            loop {
                let Ok((near, _)) = listener.accept().await else { continue };
                let (fails, stop) = (Arc::clone(&fails), stop.clone());
                tasks.spawn(async move {
                    // A connection that breaks is no matter here.
                    stop.run_until_cancelled(carry(near, port, fails)).await;
                });
            }
        };
        stop.run_until_cancelled(accepting).await;
    });
    format!("http://{USER}:{PASSWORD}@127.0.0.1:{own}")
}

/// Carries one request and what follows; each has a connection of its own.
async fn carry(mut near: TcpStream, port: u16, fails: Arc<Rule>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(near.read_u8().await.ok()?);
    }
    let text = String::from_utf8(head).ok()?;
    let what = text.split(" HTTP/").next()?;
    if fails(what) {
        return near.write_all(REFUSAL).await.ok();
    }
    let text = if text.to_lowercase().contains("upgrade: websocket") {
        text
    } else {
        text.replacen("\r\n", "\r\nConnection: close\r\n", 1)
    };
    let mut far = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()?;
    far.write_all(text.as_bytes()).await.ok()?;
    copy_bidirectional(&mut near, &mut far).await.ok().map(drop)
}
