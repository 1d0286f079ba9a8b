//! A phone's voice: it speaks one tone over RTP (RFC 3550, 3551), presses keys as telephone events
//! (RFC 4733), and keeps what it hears, to tell which tones were in it.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::audio::{AUDIBLE, PACKET, decode, level, tone};
use crate::rtp::{Press, Sender};
use crate::sip::Audio;

/// A tone is looked for in a fifth of a second: its pitch is then known to 5 Hz.
const STRETCH: usize = 10;
/// Packets that are kept: half a minute.
const KEPT: usize = 1500;
/// Keys that may wait.
const MOST_KEYS: usize = 64;
/// Time between two packets.
const BEAT: Duration = Duration::from_millis(20);

/// What was not heard in time.
#[derive(Clone, Debug, thiserror::Error)]
#[error("not heard within {patience:?}; of the tones {tones:?} at last {last:.2?}")]
pub struct NotHeard {
    tones: Vec<f64>,
    /// Their levels at last; none when nothing came.
    last: Vec<f64>,
    patience: Duration,
}

/// The media port of one call. When the last clone is dropped, it falls silent.
#[derive(Clone, Debug)]
pub struct Voice {
    at: (IpAddr, u16),
    shared: Arc<Mutex<Shared>>,
    _end: Arc<DropGuard>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Where to speak to, while on the line.
    peer: Option<Audio>,
    keys: VecDeque<Press>,
    heard: VecDeque<(Instant, [u8; PACKET])>,
    /// How many packets were heard before those that are kept.
    forgotten: usize,
}

impl Voice {
    /// Speaks a tone of `frequency` hertz to whoever it is connected to.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(
        address: IpAddr,
        frequency: f64,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> std::io::Result<Self> {
        let socket = UdpSocket::bind((address, 0)).await?;
        let stop = stop.child_token();
        let voice = Self {
            at: (address, socket.local_addr()?.port()),
            shared: Arc::default(),
            _end: Arc::new(stop.clone().drop_guard()),
        };
        let shared = Arc::clone(&voice.shared);
        tasks.spawn(async move {
            stop.run_until_cancelled(speak_and_listen(socket, frequency, shared)).await;
        });
        Ok(voice)
    }

    /// Where it listens; telephone events come as this payload type, if at all.
    #[must_use]
    pub fn audio(&self, events: Option<u8>) -> Audio {
        Audio { at: self.at, events }
    }

    /// Speaks to this peer from now on.
    pub fn connect(&self, peer: Audio) {
        self.shared.lock().peer = Some(peer);
    }

    /// Presses a key after those that wait; `false` when there is no such key, the peer takes no telephone
    /// events, or too many wait.
    #[must_use]
    pub fn press(&self, key: char) -> bool {
        let mut shared = self.shared.lock();
        let takes = shared.peer.is_some_and(|peer| peer.events.is_some());
        match Press::of(key) {
            Some(press) if takes && shared.keys.len() < MOST_KEYS => shared.keys.push_back(press),
            _ => return false,
        }
        true
    }

    /// Waits until, in what came since a moment, there is a fifth of a second, or `times` of them on end,
    /// in each of which each of the tones is heard or not as said. Silence that comes is heard; where nothing
    /// comes, nothing is.
    ///
    /// # Errors
    /// When that does not come in time.
    pub async fn until_heard(
        &self,
        since: Instant,
        tones: &[(f64, bool)],
        times: usize,
        patience: Duration,
    ) -> Result<(), NotHeard> {
        let deadline = Instant::now() + patience;
        let mut beat = tokio::time::interval(BEAT);
        let mut place = self.place(since);
        // One for each stretch, a packet apart.
        let mut verdicts = Vec::new();
        let mut last = Vec::new();
        loop {
            while let Some(samples) = self.stretch(&mut place) {
                let levels = tones.iter().map(|(tone, _)| level(samples.iter().copied(), *tone));
                let levels: Vec<f64> = levels.collect();
                let is_so =
                    |((_, wanted), level): (&(f64, bool), &f64)| (*level > AUDIBLE) == *wanted;
                verdicts.push(tones.iter().zip(&levels).all(is_so));
                let ends = verdicts.iter().rev().step_by(STRETCH).take(times);
                if verdicts.len() > STRETCH * times.saturating_sub(1) && ends.clone().all(|is| *is)
                {
                    return Ok(());
                }
                last = levels;
            }
            if Instant::now() > deadline {
                let tones = tones.iter().map(|(tone, _)| *tone).collect();
                return Err(NotHeard { tones, last, patience });
            }
            beat.tick().await;
        }
    }

    /// The number of the first packet since a moment.
    fn place(&self, since: Instant) -> usize {
        let shared = self.shared.lock();
        shared.forgotten + shared.heard.partition_point(|(at, _)| *at < since)
    }

    /// The samples of the stretch that begins at a place, which then is the next.
    fn stretch(&self, place: &mut usize) -> Option<Vec<f64>> {
        let shared = self.shared.lock();
        let first = place.saturating_sub(shared.forgotten);
        let end = first + STRETCH;
        if end > shared.heard.len() {
            return None;
        }
        *place = shared.forgotten + first + 1;
        let packets = shared.heard.range(first..end);
        Some(packets.flat_map(|(_, samples)| samples).map(|byte| decode(*byte)).collect())
    }
}

async fn speak_and_listen(socket: UdpSocket, frequency: f64, shared: Arc<Mutex<Shared>>) {
    let mut beat = tokio::time::interval(BEAT);
    let mut sender = Sender::new();
    let mut buffer = [0; 2048];
    loop {
        tokio::select! {
            _ = beat.tick() => {
                let (peer, key) = {
                    let mut shared = shared.lock();
                    let key = if sender.is_free() { shared.keys.pop_front() } else { None };
                    (shared.peer, key)
                };
                let Some(peer) = peer else { continue };
                if let (Some(key), Some(kind)) = (key, peer.events) {
                    sender.press(key, kind);
                }
                for packet in sender.next(|start, count| tone(frequency, start, count)) {
                    // A peer that has gone refuses.
                    socket.send_to(&packet, SocketAddr::from(peer.at)).await.ok();
                }
            }
            received = socket.recv_from(&mut buffer) => {
                let Ok((length, _)) = received else { continue };
                let packet = buffer.get(..length).unwrap_or_default();
                let Some(samples) = crate::rtp::speech(packet) else { continue };
                let mut shared = shared.lock();
                if shared.peer.is_some() {
                    shared.heard.push_back((Instant::now(), samples));
                    if shared.heard.len() > KEPT {
                        shared.heard.pop_front();
                        shared.forgotten += 1;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn two_voices_hear_each_other_and_keys_are_no_speech() {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let here = IpAddr::from(Ipv4Addr::LOCALHOST);
        let begin = Instant::now();
        let low = Voice::start(here, 500.0, &tasks, &stop).await.unwrap();
        let high = Voice::start(here, 700.0, &tasks, &stop).await.unwrap();
        assert!(!low.press('1'), "nobody is there");

        low.connect(high.audio(Some(101)));
        high.connect(low.audio(None));
        assert!(low.press('1') && !high.press('1'));

        low.until_heard(begin, &[(700.0, true), (500.0, false)], 2, PATIENCE).await.unwrap();
        high.until_heard(begin, &[(500.0, true), (700.0, false)], 2, PATIENCE).await.unwrap();
        drop(low);
        let later = Instant::now();
        let quiet = high.until_heard(later + PATIENCE, &[], 1, Duration::ZERO).await;
        assert!(quiet.is_err(), "nothing comes from the future");
        drop(high);
        tasks.close();
        tasks.wait().await;
    }
}
