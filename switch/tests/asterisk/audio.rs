//! A phone's voice: it speaks one tone, and tells which tones it hears.

use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const RATE: f64 = 8000.0;
/// Samples in a packet of 20 ms.
const PACKET: usize = 160;
/// What has been heard is kept for a fifth of a second.
const KEPT: usize = 10 * PACKET;
/// A tone at least this loud (of 1) is heard.
const AUDIBLE: f64 = 0.05;

/// Any source will do: there is one a port.
const SOURCE: u32 = 0x0c0a_db0a;

/// One phone's media port.
#[derive(Clone, Debug)]
pub(crate) struct Voice {
    port: u16,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Where to speak to, while on the line.
    peer: Option<SocketAddr>,
    heard: VecDeque<f64>,
}

impl Voice {
    /// Speaks a tone of `frequency` hertz to whoever it is connected to.
    pub(crate) async fn start(
        frequency: f64,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let voice = Self { port: socket.local_addr().unwrap().port(), shared: Arc::default() };
        let (shared, stop) = (Arc::clone(&voice.shared), stop.clone());
        tasks.spawn(async move {
            stop.run_until_cancelled(speak_and_listen(socket, frequency, shared)).await;
        });
        voice
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Speaks to a port on this machine from now on, or to nobody.
    pub(crate) fn connect(&self, port: Option<u16>) {
        let mut shared = self.shared.lock();
        shared.peer = port.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        shared.heard.clear();
    }

    /// Whether a tone of `frequency` hertz is what has been heard last; `None` while nothing
    /// at all comes.
    pub(crate) fn hears(&self, frequency: f64) -> Option<bool> {
        let shared = self.shared.lock();
        if shared.heard.len() < KEPT {
            return None;
        }
        Some(level(shared.heard.iter().copied(), frequency) > AUDIBLE)
    }

    /// Forgets what was heard: what is told afterwards is new.
    pub(crate) fn listen_anew(&self) {
        self.shared.lock().heard.clear();
    }
}

/// Amplitude of one frequency (Goertzel's algorithm).
pub(crate) fn level(samples: impl ExactSizeIterator<Item = f64>, frequency: f64) -> f64 {
    let count = f64::from(u32::try_from(samples.len()).unwrap());
    let factor = 2.0 * (TAU * frequency / RATE).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        (last, before) = (factor.mul_add(last, sample - before), last);
    }
    let power = last * last + before * before - factor * last * before;
    power.max(0.0).sqrt() * 2.0 / count
}

async fn speak_and_listen(socket: UdpSocket, frequency: f64, shared: Arc<Mutex<Shared>>) {
    let mut beat = tokio::time::interval(Duration::from_millis(20));
    let mut sequence: u16 = 0;
    let mut buffer = [0; 2048];
    loop {
        tokio::select! {
            _ = beat.tick() => {
                sequence = sequence.wrapping_add(1);
                let peer = shared.lock().peer;
                if let Some(peer) = peer {
                    // A peer that has gone refuses.
                    socket.send_to(&packet(sequence, frequency), peer).await.ok();
                }
            }
            received = socket.recv_from(&mut buffer) => {
                let Ok((length, _)) = received else { continue };
                let mut shared = shared.lock();
                // Version 2, payload type 0 (µ-law), 12 bytes of header.
                if length == 12 + PACKET && matches!(buffer[1], 0 | 0x80) && shared.peer.is_some() {
                    shared.heard.extend(buffer[12..length].iter().map(|byte| decode(*byte)));
                    let excess = shared.heard.len().saturating_sub(KEPT);
                    shared.heard.drain(..excess);
                }
            }
        }
    }
}

fn packet(sequence: u16, frequency: f64) -> Vec<u8> {
    let start = u32::from(sequence) * 160;
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend(start.to_be_bytes());
    packet.extend(SOURCE.to_be_bytes());
    packet.extend(
        (start..start + 160)
            .map(|index| encode((TAU * frequency * f64::from(index) / RATE).sin() * 0.4)),
    );
    packet
}

/// Linear to µ-law (ITU-T G.711).
pub(crate) fn encode(sample: f64) -> u8 {
    const BIAS: i32 = 0x84;
    #[expect(clippy::cast_possible_truncation, reason = "samples are between -1 and 1")]
    let linear = (sample * 32_000.0) as i32;
    let sign = if linear < 0 { 0x80 } else { 0 };
    let magnitude = linear.abs().min(32_635) + BIAS;
    let exponent = (31 - magnitude.leading_zeros()).saturating_sub(7).min(7);
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    let byte = sign | i32::try_from(exponent << 4).unwrap() | mantissa;
    !u8::try_from(byte).unwrap()
}

fn decode(byte: u8) -> f64 {
    let byte = i32::from(!byte);
    let exponent = (byte >> 4) & 7;
    let magnitude = ((((byte & 0x0f) << 3) + 0x84) << exponent) - 0x84;
    let linear = if byte & 0x80 == 0 { magnitude } else { -magnitude };
    f64::from(linear) / 32_000.0
}

#[test]
fn tones_survive_their_coding_and_are_told_apart() {
    let heard: Vec<f64> =
        (0..10).flat_map(|n| packet(n, 700.0)[12..].to_vec()).map(decode).collect();

    assert!((level(heard.iter().copied(), 700.0) - 0.4).abs() < 0.02);
    for other in [500.0, 900.0, 440.0] {
        assert!(level(heard.iter().copied(), other) < 0.01);
    }
}
