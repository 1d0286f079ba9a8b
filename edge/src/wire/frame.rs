//! Frames as the server sends them (RFC 6455): never masked, never fragmented, encoded once.
//!
//! Because a server's frames carry no mask, one encoded frame serves every socket that gets the
//! same message: clones share the bytes.

use bytes::Bytes;

/// Bytes of the longest header.
const HEADER_MAX: usize = 10;

const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// Longest payload of a control frame.
const CONTROL_MAX: usize = 125;

/// One whole frame. Clones share the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame(Bytes);

/// A text frame while its payload is written.
#[derive(Debug)]
pub(crate) struct TextFrame {
    /// Room for the header, then the payload.
    bytes: Vec<u8>,
}

impl TextFrame {
    /// Begins a frame whose payload will have about `capacity` bytes.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER_MAX + capacity);
        bytes.resize(HEADER_MAX, 0);
        Self { bytes }
    }

    /// Where the payload is appended.
    pub(crate) const fn payload(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// True while no payload was written.
    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.len() == HEADER_MAX
    }

    /// Ends the frame: the header goes right before the payload.
    pub(crate) fn finish(mut self) -> Frame {
        let length = self.bytes.len().saturating_sub(HEADER_MAX);
        let (header, used) = header(TEXT, length);
        let begin = HEADER_MAX - used;
        for (place, byte) in self.bytes.iter_mut().skip(begin).zip(header.iter().take(used)) {
            *place = *byte;
        }
        Frame(Bytes::from(self.bytes).slice(begin..))
    }
}

impl Frame {
    /// A text frame.
    #[cfg(test)]
    pub(crate) fn text(payload: &[u8]) -> Self {
        let mut frame = TextFrame::with_capacity(payload.len());
        frame.payload().extend_from_slice(payload);
        frame.finish()
    }

    /// A ping without payload.
    pub(crate) const fn ping() -> Self {
        Self(Bytes::from_static(&[0x80 | PING, 0]))
    }

    /// A close frame; a reason that does not fit is cut.
    pub(crate) fn close(code: u16, reason: &str) -> Self {
        let mut end = reason.len().min(CONTROL_MAX - 2);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let reason = reason.get(..end).unwrap_or_default();
        let (header, used) = header(CLOSE, reason.len() + 2);
        let mut bytes = Vec::with_capacity(CONTROL_MAX + 2);
        bytes.extend(header.iter().take(used));
        bytes.extend(code.to_be_bytes());
        bytes.extend(reason.as_bytes());
        Self(bytes.into())
    }

    /// Splits bytes that consist of whole frames, as tungstenite writes them.
    pub(crate) fn split(mut bytes: &[u8]) -> Vec<Self> {
        let mut frames = Vec::new();
        while let Some(length) = whole_length(bytes).filter(|length| *length <= bytes.len()) {
            let (frame, rest) = bytes.split_at(length);
            frames.push(Self(Bytes::copy_from_slice(frame)));
            bytes = rest;
        }
        debug_assert!(bytes.is_empty(), "tungstenite writes whole frames");
        frames
    }

    /// True for ping, pong and close, which may go between the frames of others.
    pub(crate) fn is_control(&self) -> bool {
        self.opcode() & 0x8 != 0
    }

    /// True for the frame after which nothing more is sent.
    pub(crate) fn is_close(&self) -> bool {
        self.opcode() == CLOSE
    }

    /// True for a ping or pong.
    pub(crate) fn is_heartbeat(&self) -> bool {
        matches!(self.opcode(), PING | PONG)
    }

    /// Bytes on the wire.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The encoded frame.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    fn opcode(&self) -> u8 {
        self.0.first().map_or(0, |byte| byte & 0x0F)
    }
}

/// The header and how many of its bytes are used.
fn header(opcode: u8, length: usize) -> ([u8; HEADER_MAX], usize) {
    let mut header = [0; HEADER_MAX];
    let [first, second, rest @ ..] = &mut header;
    *first = 0x80 | opcode;
    let used = if let Some(short) = u8::try_from(length).ok().filter(|short| *short < 126) {
        *second = short;
        2
    } else if let Ok(medium) = u16::try_from(length) {
        *second = 126;
        rest.iter_mut().zip(medium.to_be_bytes()).for_each(|(place, byte)| *place = byte);
        4
    } else {
        *second = 127;
        rest.iter_mut().zip((length as u64).to_be_bytes()).for_each(|(place, byte)| *place = byte);
        HEADER_MAX
    };
    (header, used)
}

/// Length of the frame that begins here, header included.
fn whole_length(bytes: &[u8]) -> Option<usize> {
    let length = match bytes.get(1)? & 0x7F {
        126 => {
            let length = bytes.get(2..4)?.try_into().ok()?;
            usize::from(u16::from_be_bytes(length)) + 4
        }
        127 => {
            let length = bytes.get(2..10)?.try_into().ok()?;
            usize::try_from(u64::from_be_bytes(length)).ok()?.checked_add(HEADER_MAX)?
        }
        short => usize::from(short) + 2,
    };
    Some(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn headers_have_the_three_lengths_of_the_rfc() {
        assert_eq!(Frame::text(b"hi").as_slice(), b"\x81\x02hi");
        assert_eq!(&Frame::text(&[b'a'; 126]).as_slice()[..4], b"\x81\x7e\x00\x7e");
        assert_eq!(
            &Frame::text(&vec![b'a'; 70_000]).as_slice()[..10],
            b"\x81\x7f\0\0\0\0\0\x01\x11\x70"
        );
    }

    #[test]
    fn a_close_frame_carries_code_and_reason() {
        let close = Frame::close(4401, "not authenticated");

        assert_eq!(&close.as_slice()[..4], b"\x88\x13\x11\x31");
        assert!(close.is_close() && close.is_control());
        assert_eq!(Frame::close(1000, &"é".repeat(100)).len(), 2 + 2 + 122);
    }

    proptest! {
        #[test]
        fn whole_frames_are_split_as_they_were(payloads: Vec<Vec<u8>>) {
            let frames: Vec<Frame> = payloads.iter().map(|payload| Frame::text(payload)).collect();
            let bytes: Vec<u8> =
                frames.iter().flat_map(|frame| frame.as_slice().iter().copied()).collect();

            prop_assert_eq!(Frame::split(&bytes), frames);
        }

        #[test]
        fn any_length_is_read_back(length in 0_usize..200_000) {
            let frame = Frame::text(&vec![b'x'; length]);

            prop_assert_eq!(whole_length(frame.as_slice()), Some(frame.len()));
        }
    }
}
