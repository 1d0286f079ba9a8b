//! RTP packets (RFC 3550): speech in µ-law, and keys as telephone events (RFC 4733).

use crate::audio::PACKET;

/// Any source will do: there is one a port.
const SOURCE: u32 = 0x0c0a_db0a;
/// The header without extensions.
const HEADER: usize = 12;
/// Packets of a key's event: 100 ms, then silence of 60 ms.
const PRESSED: u16 = 5;
const RELEASED: u16 = 3;
/// How loud a key sounds: 10 dB below the loudest.
const VOLUME: u8 = 0x0a;
/// Samples in a packet.
const SAMPLES: u16 = 160;

/// The µ-law of a packet of speech; `None` for anything else.
pub(crate) fn speech(packet: &[u8]) -> Option<[u8; PACKET]> {
    let (header, samples) = packet.split_at_checked(HEADER)?;
    // Payload type 0; the marker, in front of it, may say what it likes.
    let is_speech = header.first()? >> 6 == 2 && header.get(1)? << 1 == 0;
    if is_speech { samples.try_into().ok() } else { None }
}

/// The event of a key (RFC 4733, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Press(u8);

impl Press {
    pub(crate) fn of(key: char) -> Option<Self> {
        let events = "0123456789*#ABCD";
        let place = events.chars().position(|other| other == key.to_ascii_uppercase())?;
        u8::try_from(place).ok().map(Self)
    }
}

/// The stream of one phone, a packet each 20 ms.
#[derive(Debug)]
pub(crate) struct Sender {
    sequence: u16,
    /// Samples since the begin.
    time: u32,
    key: Option<Key>,
}

#[derive(Debug)]
struct Key {
    press: Press,
    /// Payload type.
    kind: u8,
    began: u32,
    packets: u16,
}

impl Sender {
    pub(crate) fn new() -> Self {
        Self { sequence: 0, time: 0, key: None }
    }

    /// Whether another key can be pressed.
    pub(crate) fn is_free(&self) -> bool {
        self.key.is_none()
    }

    pub(crate) fn press(&mut self, press: Press, kind: u8) {
        self.key = Some(Key { press, kind, began: self.time, packets: 0 });
    }

    /// What is sent now: speech, or a part of a key.
    pub(crate) fn next<T: Iterator<Item = u8>>(
        &mut self,
        speak: impl FnOnce(u32, u32) -> T,
    ) -> Vec<Vec<u8>> {
        let time = self.time;
        self.time = time.wrapping_add(SAMPLES.into());
        let Some(key) = &mut self.key else {
            let mut packet = self.header(0, time);
            packet.extend(speak(time, SAMPLES.into()));
            return vec![packet];
        };
        key.packets += 1;
        let (count, kind, began) = (key.packets, key.kind, key.began);
        if count > PRESSED {
            if count == PRESSED + RELEASED {
                self.key = None;
            }
            return Vec::new();
        }
        let duration = (count * SAMPLES).to_be_bytes();
        // The end is told three times (section 2.5.1.4).
        let (end, times) = if count == PRESSED { (0x80, 3) } else { (0, 1) };
        let marker = if count == 1 { 0x80 } else { 0 };
        let event = [key.press.0, end | VOLUME, duration[0], duration[1]];
        let send = |_| {
            let mut packet = self.header(marker | kind, began);
            packet.extend(event);
            packet
        };
        (0..times).map(send).collect()
    }

    fn header(&mut self, kind: u8, time: u32) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = vec![0x80, kind];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(time.to_be_bytes());
        packet.extend(SOURCE.to_be_bytes());
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_is_read_as_it_was_sent_and_a_key_interrupts_it() {
        let mut sender = Sender::new();
        let speak = |_, _| [7_u8; PACKET].into_iter();

        let first = sender.next(speak);
        sender.press(Press::of('#').unwrap(), 101);
        let pressed: Vec<_> = (0..8).flat_map(|_| sender.next(speak)).collect();
        let again = sender.next(speak);

        assert_eq!(speech(&first[0]), Some([7; PACKET]));
        assert_eq!(pressed.len(), 7);
        assert_eq!((pressed[0][1], pressed[1][1]), (0xe5, 101));
        assert!(pressed.iter().all(|packet| packet[4..8] == 160_u32.to_be_bytes()));
        assert_eq!(pressed[6][12..], [11, 0x8a, 3, 0x20]);
        assert_eq!(pressed.iter().filter_map(|packet| speech(packet)).count(), 0);
        assert_eq!(again[0][2..4], 9_u16.to_be_bytes());
        assert!(sender.is_free());
    }

    #[test]
    fn what_is_no_speech_is_left_out() {
        assert_eq!(Press::of('x'), None);
        for packet in [&[][..], &[0x80; 12], &[0x80, 8], &[0; 172], &[0x80; 173]] {
            assert_eq!(speech(packet), None);
        }
    }
}
