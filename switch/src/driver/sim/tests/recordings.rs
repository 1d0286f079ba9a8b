//! Recordings: how long they last, and what is written.

use super::*;
use crate::driver::RecordingId;

fn recording(name: &str) -> RecordingId {
    RecordingId(name.to_owned())
}

fn record(channel: &ChannelId, name: &str) -> Op {
    Op::Record { channel: channel.clone(), recording: recording(name) }
}

/// Seconds of the file, when there is one.
async fn seconds(bench: &Bench, name: &str) -> Option<u64> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.wav");
    bench.sim.collect(&recording(name), &file).await.ok()?;
    let bytes = std::fs::read(file).unwrap();
    assert!(bytes.starts_with(b"RIFF") && bytes[8..16] == *b"WAVEfmt ");
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(number(4) as usize, bytes.len() - 8);
    assert_eq!(number(40) as usize, bytes.len() - 44);
    Some(u64::from(number(40) / number(28)))
}

#[tokio::test(start_paused = true)]
async fn a_recording_lasts_until_it_is_stopped_or_its_channel_ends() {
    let mut bench = Bench::new();
    let alice = bench.talk("a", "101").await;
    let bob = bench.talk("b", "102").await;

    bench.run(record(&alice, "one")).await;
    bench.run(record(&bob, "two")).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(seconds(&bench, "one").await, None, "it goes on");
    bench.run(Op::StopRecord { channel: alice.clone(), recording: recording("one") }).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    bench.hangup(alice, 487, "BYE Received").await;
    bench.sim.phone_hand("102", Hand::Hangup, None).await.unwrap();
    tokio::time::sleep(Duration::from_secs(9)).await;

    assert_eq!(seconds(&bench, "one").await, Some(3));
    assert_eq!(seconds(&bench, "two").await, Some(5));
    assert_eq!(seconds(&bench, "one").await, None, "it was collected");
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_gone_is_not_recorded() {
    let bench = Bench::new();

    bench.run(record(&id("gone"), "one")).await;

    assert_eq!(seconds(&bench, "one").await, None);
}
