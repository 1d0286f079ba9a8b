//! The prompts that the program brings along: tones in valid files, so that everything can be tried
//! without recording anything.

use std::f64::consts::TAU;

use super::format::Format;

/// A prompt of the program.
struct Prompt {
    path: &'static str,
    seconds: u32,
    /// Pitch, so that they can be told apart.
    hertz: f64,
}

const PROMPTS: [Prompt; 8] = [
    Prompt { path: "visa/enter-number.au", seconds: 2, hertz: 440.0 },
    Prompt { path: "visa/approved.g729", seconds: 2, hertz: 0.0 },
    Prompt { path: "visa/approved.au", seconds: 2, hertz: 560.0 },
    Prompt { path: "visa/not-found.au", seconds: 2, hertz: 330.0 },
    Prompt { path: "conference/invitation.au", seconds: 1, hertz: 520.0 },
    Prompt { path: "ivr/fallback.au", seconds: 2, hertz: 390.0 },
    Prompt { path: "busy.au", seconds: 2, hertz: 480.0 },
    Prompt { path: "no-answer.au", seconds: 2, hertz: 350.0 },
];

/// Samples a second of the files.
const RATE: u32 = 8_000;

/// Paths and contents of all prompts that the program brings along.
pub fn builtin_prompts() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    PROMPTS.iter().map(|prompt| (prompt.path, prompt.bytes()))
}

/// Paths and pitches, in hertz, of those that are tones.
pub fn builtin_pitches() -> impl Iterator<Item = (&'static str, f64)> {
    let tones = PROMPTS.iter().filter(|prompt| prompt.hertz > 0.0);
    tones.map(|prompt| (prompt.path, prompt.hertz))
}

/// The content of one of them.
pub(super) fn bytes_of(path: &str) -> Option<Vec<u8>> {
    PROMPTS.iter().find(|prompt| prompt.path == path).map(Prompt::bytes)
}

impl Prompt {
    fn bytes(&self) -> Vec<u8> {
        match Format::of_name(self.path) {
            Some(Format::G729) => self.g729(),
            _ => self.au(),
        }
    }

    /// µ-law of a quiet tone.
    fn au(&self) -> Vec<u8> {
        let samples = self.seconds * RATE;
        let mut bytes = b".snd".to_vec();
        for field in [24, samples, 1, RATE, 1] {
            bytes.extend_from_slice(&u32::to_be_bytes(field));
        }
        bytes.extend((0..samples).map(|sample| {
            let phase = TAU * self.hertz * f64::from(sample) / f64::from(RATE);
            #[expect(clippy::cast_possible_truncation, reason = "within the range of a sample")]
            let linear = (phase.sin() * 4_000.0) as i16;
            mu_law(linear)
        }));
        bytes
    }

    /// Frames of near silence.
    fn g729(&self) -> Vec<u8> {
        let frames = usize::try_from(self.seconds).unwrap_or_default() * 100;
        [0x78, 0x52, 0x80, 0xa0, 0x00, 0xfa, 0xc2, 0x00, 0x07, 0xd6].repeat(frames)
    }
}

/// One sample in µ-law (ITU-T G.711).
fn mu_law(linear: i16) -> u8 {
    let sign = if linear < 0 { 0x80 } else { 0 };
    let magnitude = linear.unsigned_abs().min(32_635) + 0x84;
    let exponent = 7 - magnitude.leading_zeros().saturating_sub(1).min(7);
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    #[expect(clippy::cast_possible_truncation, reason = "each is within its bits")]
    let code = (exponent << 4) as u8 | mantissa as u8;
    !(sign | code)
}
