//! What the simulator has recorded: silence, as long as it should be.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

/// Samples a second.
const RATE: u32 = 8_000;

/// Bytes of a sample.
const WIDTH: u32 = 2;

/// Writes so much silence. The samples are zeros that no disk has to hold.
pub(super) async fn write_silence(file: &Path, lasts: Duration) -> io::Result<()> {
    let samples = lasts.as_millis() * u128::from(RATE) / 1_000;
    // A WAV ends at 4 GiB, which is 74 hours.
    let samples = u32::try_from(samples).unwrap_or(u32::MAX).min(u32::MAX / WIDTH - 100);
    let bytes = samples * WIDTH;
    let mut file = File::create(file).await?;
    file.write_all(&header(bytes)).await?;
    file.flush().await?;
    file.set_len(u64::from(bytes) + HEADER).await
}

/// Bytes before the samples.
const HEADER: u64 = 44;

fn header(bytes: u32) -> Vec<u8> {
    let mut header = b"RIFF".to_vec();
    header.extend((bytes + 36).to_le_bytes());
    header.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    header.extend(RATE.to_le_bytes());
    header.extend((RATE * WIDTH).to_le_bytes());
    header.extend(b"\x02\0\x10\0data");
    header.extend(bytes.to_le_bytes());
    header
}
