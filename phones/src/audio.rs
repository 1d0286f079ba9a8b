//! Tones: made, put into µ-law, and found again in what is heard.

use std::f64::consts::TAU;

/// Samples a second.
pub const RATE: f64 = 8000.0;
/// Samples in a packet of 20 ms.
pub const PACKET: usize = 160;
/// How loud a phone speaks, of 1: three can speak at once and nothing is cut off.
pub const LOUDNESS: f64 = 0.3;
/// A tone at least this loud, of 1, is heard.
pub const AUDIBLE: f64 = 0.05;

/// µ-law of a tone: `count` samples from the sample `start` on.
pub fn tone(frequency: f64, start: u32, count: u32) -> impl Iterator<Item = u8> {
    (start..start.saturating_add(count))
        .map(move |index| encode((TAU * frequency * f64::from(index) / RATE).sin() * LOUDNESS))
}

/// Amplitude of one frequency (Goertzel's algorithm).
pub fn level(samples: impl ExactSizeIterator<Item = f64>, frequency: f64) -> f64 {
    let factor = 2.0 * (TAU * frequency / RATE).cos();
    let (mut last, mut before, mut count) = (0.0, 0.0, 0.0);
    for sample in samples {
        (last, before) = (factor.mul_add(last, sample - before), last);
        count += 1.0;
    }
    let power = last * last + before * before - factor * last * before;
    if count > 0.0 { power.max(0.0).sqrt() * 2.0 / count } else { 0.0 }
}

/// Linear, of 1, to µ-law (ITU-T G.711).
#[must_use]
pub fn encode(sample: f64) -> u8 {
    const BIAS: u16 = 0x84;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and below the bound"
    )]
    let magnitude = (sample.abs() * 32_000.0).min(32_635.0) as u16 + BIAS;
    let sign = if sample < 0.0 { 0x80 } else { 0 };
    let exponent = 15_u32.saturating_sub(magnitude.leading_zeros()).saturating_sub(7).min(7);
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    #[expect(clippy::cast_possible_truncation, reason = "each is within its bits")]
    let byte = sign | (exponent << 4) as u8 | mantissa as u8;
    !byte
}

/// µ-law to linear, of 1.
#[must_use]
pub fn decode(byte: u8) -> f64 {
    let byte = i32::from(!byte);
    let exponent = (byte >> 4) & 7;
    let magnitude = ((((byte & 0x0f) << 3) + 0x84) << exponent) - 0x84;
    let linear = if byte & 0x80 == 0 { magnitude } else { -magnitude };
    f64::from(linear) / 32_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tones_survive_their_coding_and_are_told_apart() {
        let heard: Vec<f64> = tone(700.0, 0, 1600).map(decode).collect();

        assert!((level(heard.iter().copied(), 700.0) - LOUDNESS).abs() < 0.02);
        for other in [500.0, 900.0, 440.0] {
            assert!(level(heard.iter().copied(), other) < 0.01);
        }
        assert!(level(std::iter::empty(), 440.0).abs() < f64::EPSILON);
    }

    #[test]
    fn every_byte_is_its_own_inverse() {
        for byte in 0..=255_u8 {
            // Of the two zeros one is enough.
            let expected = if byte == 0x7f { 0xff } else { byte };
            assert_eq!(encode(decode(byte)), expected, "{byte:#x}");
        }
    }
}
