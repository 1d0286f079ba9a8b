//! Looks after all sockets from one task: heartbeat, silence, login, expiry, close handshakes.
//!
//! One pass over the sockets every so often is cheaper than timers of their own, and none of
//! these times needs to be exact.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proto::json::Message as _;
use proto::session::v1::TokenExpiringNotification;
use tokio::time::{MissedTickBehavior, interval};

use super::Socket;
use super::close::Reason;
use crate::edge::Edge;
use crate::renewal;
use crate::wire::Frame;
use crate::wire::frame::TextFrame;

/// Times of a socket, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Times {
    ping_every: u64,
    pong_within: u64,
    message_within: u64,
    login_within: u64,
    close_within: u64,
}

/// Looks after the sockets until the edge stops.
pub(crate) async fn run(edge: Arc<Edge>) {
    let config = &edge.config;
    let times = Times {
        ping_every: millis(config.websocket.heartbeat_interval),
        pong_within: millis(config.websocket.heartbeat_timeout),
        message_within: millis(config.api.websocket_inactivity_timeout),
        login_within: millis(config.login_timeout),
        close_within: millis(config.close_timeout),
    };
    let mut tick = interval(config.tick());
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let now = edge.sockets.now();
        edge.sockets.for_each(|socket| look(&edge, socket, now, times));
        edge.sessions.sweep(edge.clock.now().as_seconds());
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Looks for a newer token of the socket's session, one search at a time.
fn prolong(edge: &Arc<Edge>, socket: &Arc<Socket>) {
    if socket.times.is_prolonging.swap(true, Ordering::AcqRel) {
        return;
    }
    let (edge, socket) = (Arc::clone(edge), Arc::clone(socket));
    edge.tasks.clone().spawn(async move {
        renewal::prolong(&edge, &socket).await;
        socket.times.is_prolonging.store(false, Ordering::Release);
    });
}

fn look(edge: &Arc<Edge>, socket: &Arc<Socket>, now: u64, times: Times) {
    let at = &socket.times;
    let since = |moment: u64| now.saturating_sub(moment);
    if !socket.outbound.is_open() {
        match at.closing.load(Ordering::Relaxed) {
            0 => at.closing.store(now, Ordering::Relaxed),
            closing if since(closing) >= times.close_within => socket.outbound.abort(),
            _ => {}
        }
        return;
    }
    match socket.session() {
        None if since(at.connected.load(Ordering::Relaxed)) >= times.login_within => {
            return socket.close(Reason::NotAuthenticated);
        }
        None => {}
        Some(session) => {
            let left = session.expires_in(edge.clock.now().as_seconds());
            let notice = i64::try_from(edge.config.expiry_notice.as_secs()).unwrap_or(i64::MAX);
            let is_over = left == 0 && edge.verifier.has_expired(&session.caller);
            if is_over || (left <= notice && session.is_refreshed()) {
                prolong(edge, socket);
            } else if left <= notice && at.told_expiry.swap(now, Ordering::Relaxed) == 0 {
                socket.send(token_expiring(session.id(), session.caller.expires_at, left));
            }
        }
    }
    if since(at.message.load(Ordering::Relaxed)) >= times.message_within {
        return socket.close(Reason::Inactive);
    }
    match at.unanswered.load(Ordering::Relaxed) {
        0 if since(at.ping.load(Ordering::Relaxed)) >= times.ping_every => {
            at.ping.store(now, Ordering::Relaxed);
            at.unanswered.store(now, Ordering::Relaxed);
            socket.send(Frame::ping());
        }
        0 => {}
        unanswered if since(unanswered) >= times.pong_within => {
            socket.close(Reason::NoPong);
        }
        _ => {}
    }
}

fn token_expiring(session_id: &str, expires_at: i64, expires_in: i64) -> Frame {
    let mut frame = TextFrame::with_capacity(256);
    let notification = TokenExpiringNotification {
        session_id: session_id.to_owned(),
        expires_at: expires_at.saturating_mul(1_000_000),
        expires_in,
    };
    let out = frame.payload();
    out.extend_from_slice(br#"{"jsonrpc":"2.0","method":"Session/token_expiring","params":"#);
    notification.write(out);
    out.push(b'}');
    frame.finish()
}
