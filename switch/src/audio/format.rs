//! Audio files as far as they have to be understood: that they are what they claim, and how long
//! they last.

use std::time::Duration;

/// A kind of audio file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Sun audio: a header, then samples.
    Au,
    /// Frames of G.729, without any header.
    G729,
    /// RIFF with PCM, A-law or µ-law.
    Wav,
}

const NO_AU: &str = "is no `au` file";
const NO_WAV: &str = "is no `wav` file";
const NO_G729: &str = "is no `g729` file";

impl Format {
    /// By the extension of a file's name.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "au" => Some(Self::Au),
            "g729" => Some(Self::G729),
            "wav" => Some(Self::Wav),
            _ => None,
        }
    }
}

/// How long a file lasts that is to be of this format.
pub(super) fn duration(format: Format, bytes: &[u8]) -> Result<Duration, &'static str> {
    let duration = match format {
        Format::Au => au(bytes).ok_or(NO_AU)?,
        Format::G729 => g729(bytes).ok_or(NO_G729)?,
        Format::Wav => wav(bytes).ok_or(NO_WAV)?,
    };
    if duration.is_zero() { Err("has no audio in it") } else { Ok(duration) }
}

/// How long that lasts which was found at an address. The content says what it is; G.729, which
/// nothing in the content gives away, is believed when name or type says so.
pub(super) fn of_content(url: &str, kind: &str, bytes: &[u8]) -> Result<Duration, &'static str> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let is_said_to_be_g729 =
        Format::of_name(path) == Some(Format::G729) || kind.eq_ignore_ascii_case("audio/g729");
    let format = if bytes.starts_with(b".snd") {
        Format::Au
    } else if bytes.starts_with(b"RIFF") {
        Format::Wav
    } else if is_said_to_be_g729 {
        Format::G729
    } else {
        return Err("is no audio");
    };
    duration(format, bytes)
}

/// Duration of so many bytes at so many a second.
fn at_rate(bytes: usize, bytes_per_second: u64) -> Option<Duration> {
    let bytes = u64::try_from(bytes).ok()?;
    let micros = bytes.checked_mul(1_000_000)?.checked_div(bytes_per_second)?;
    Some(Duration::from_micros(micros))
}

fn au(bytes: &[u8]) -> Option<Duration> {
    let field = |index: usize| {
        let at = index * 4;
        let field = bytes.get(at..at + 4)?;
        Some(u32::from_be_bytes(field.try_into().ok()?))
    };
    bytes.starts_with(b".snd").then_some(())?;
    let (offset, size) = (usize::try_from(field(1)?).ok()?, field(2)?);
    let bytes_per_sample: u64 = match field(3)? {
        // µ-law, linear 8 bit, A-law.
        1 | 2 | 27 => 1,
        // Linear 16, 24, 32 bit.
        3 => 2,
        4 => 3,
        5 => 4,
        _ => return None,
    };
    let (rate, channels) = (field(4)?, field(5)?);
    if offset < 24 || offset > bytes.len() || !(1..=2).contains(&channels) {
        return None;
    }
    let there = bytes.len() - offset;
    let size = if size == u32::MAX { there } else { usize::try_from(size).ok()? };
    if size > there || !(4_000..=192_000).contains(&rate) {
        return None;
    }
    at_rate(size, u64::from(rate) * u64::from(channels) * bytes_per_sample)
}

fn wav(bytes: &[u8]) -> Option<Duration> {
    let riff = bytes.get(..12)?;
    (riff.starts_with(b"RIFF") && riff.ends_with(b"WAVE")).then_some(())?;
    let mut rest = bytes.get(12..)?;
    let mut bytes_per_second = None;
    loop {
        let (name, size) = (rest.get(..4)?, rest.get(4..8)?);
        let size = usize::try_from(u32::from_le_bytes(size.try_into().ok()?)).ok()?;
        let content = rest.get(8..)?;
        if name == b"data" {
            // Who writes without knowing the length leaves it too big.
            return at_rate(size.min(content.len()), bytes_per_second?);
        }
        if name == b"fmt " {
            let kind = u16::from_le_bytes(content.get(..2)?.try_into().ok()?);
            // PCM, A-law, µ-law.
            matches!(kind, 1 | 6 | 7).then_some(())?;
            let rate = u32::from_le_bytes(content.get(8..12)?.try_into().ok()?);
            bytes_per_second = Some(u64::from(rate)).filter(|rate| *rate >= 1_000);
        }
        // Chunks begin at even places.
        rest = content.get(size.checked_add(size % 2)?..)?;
    }
}

/// A frame of speech has 10 bytes and lasts 10 ms; one of comfort noise has 2 and may be the last.
fn g729(bytes: &[u8]) -> Option<Duration> {
    let frames = match bytes.len() % 10 {
        0 => bytes.len() / 10,
        2 => bytes.len() / 10 + 1,
        _ => return None,
    };
    let is_text = bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    let is_other = bytes.starts_with(b"RIFF") || bytes.starts_with(b".snd");
    if is_text && !bytes.is_empty() || is_other {
        return None;
    }
    Some(Duration::from_millis(10) * u32::try_from(frames).ok()?)
}
