//! Which prompts may be played, and for how long.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::format::{self, Format};
use super::*;

fn au(seconds: u32) -> Vec<u8> {
    let samples = seconds * 8_000;
    let mut bytes = b".snd".to_vec();
    for field in [24, samples, 1, 8_000, 1] {
        bytes.extend_from_slice(&u32::to_be_bytes(field));
    }
    bytes.resize(24 + samples as usize, 0xff);
    bytes
}

fn wav(kind: u16, seconds: u32) -> Vec<u8> {
    let samples = seconds * 8_000;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend(u32::to_le_bytes(36 + samples * 2));
    bytes.extend(b"WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0");
    for field in [kind, 1] {
        bytes.extend(u16::to_le_bytes(field));
    }
    for field in [8_000_u32, 16_000] {
        bytes.extend(u32::to_le_bytes(field));
    }
    bytes.extend([2, 0, 16, 0]);
    bytes.extend(b"data");
    bytes.extend(u32::to_le_bytes(samples * 2));
    bytes.resize(bytes.len() + samples as usize * 2, 0);
    bytes
}

fn in_folder(folder: &Path) -> Audio {
    let config = Config { folder: Some(folder.to_owned()), ..Config::default() };
    Audio::new(config, Rules { allow_private: true })
}

async fn why(audio: &Audio, path: &str) -> &'static str {
    audio.prompts(&[path.to_owned()]).await.expect_err(path).why
}

#[tokio::test]
async fn the_program_brings_valid_prompts_along() {
    let audio = Audio::new(Config::default(), Rules::default());
    let mut count = 0;
    for (path, _) in builtin_prompts() {
        let clips = audio.prompts(&[path.to_owned()]).await.unwrap();
        let seconds = if path == "conference/invitation.au" { 1 } else { 2 };
        assert_eq!(clips[0].duration, Duration::from_secs(seconds), "{path}");
        assert_eq!((clips[0].name.as_str(), clips[0].is_fetched), (path, false));
        count += 1;
    }
    assert_eq!(count, 8);
    assert_eq!(why(&audio, "visa/nothing.au").await, "names no prompt");
}

#[tokio::test]
async fn a_path_never_leads_out_of_the_folder() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.au"), au(1)).unwrap();
    let folder = outside.path().join("prompts");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("ours.au"), au(3)).unwrap();
    symlink(outside.path().join("secret.au"), folder.join("link.au")).unwrap();
    symlink(outside.path(), folder.join("up")).unwrap();
    symlink(folder.join("ours.au"), folder.join("inside.au")).unwrap();
    let audio = in_folder(&folder);

    for path in [
        "../secret.au",
        "a/../../secret.au",
        "/etc/passwd.au",
        "./ours.au",
        "a/./ours.au",
        "..\\secret.au",
        "link.au",
        "up/secret.au",
    ] {
        assert_eq!(why(&audio, path).await, "leaves the prompt folder", "{path}");
    }
    let clips = audio.prompts(&["ours.au".to_owned(), "inside.au".to_owned()]).await.unwrap();
    assert_eq!(clips[1].duration, Duration::from_secs(3));
}

#[tokio::test]
async fn extension_and_content_have_to_be_those_of_audio() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("text.au", b"hello");
    write("text.g729", b"just ten b");
    write("odd.g729", &[0x87; 25]);
    write("empty.g729", b"");
    write("empty.au", &au(0));
    write("really-wav.au", &wav(1, 1));
    write("mp3.wav", &wav(0x55, 1));
    write("cut.wav", b"RIFF\0\0\0\0WAVE");
    write("song.mp3", b"ID3");
    std::fs::create_dir(folder.path().join("folder.au")).unwrap();
    let audio = Audio::new(
        Config { folder: Some(folder.path().to_owned()), max_bytes: 40_000, ..Config::default() },
        Rules::default(),
    );
    write("big.au", &au(6));

    for (path, expected) in [
        ("text.au", "is no `au` file"),
        ("really-wav.au", "is no `au` file"),
        ("text.g729", "is no `g729` file"),
        ("odd.g729", "is no `g729` file"),
        ("empty.g729", "has no audio in it"),
        ("empty.au", "has no audio in it"),
        ("mp3.wav", "is no `wav` file"),
        ("cut.wav", "is no `wav` file"),
        ("song.mp3", "is not `au`, `g729` or `wav`"),
        ("noextension", "is not `au`, `g729` or `wav`"),
        ("folder.au", "names no file"),
        ("big.au", "is too big"),
        ("", "is no path of a prompt"),
        ("a\nb.au", "is no path of a prompt"),
    ] {
        assert_eq!(why(&audio, path).await, expected, "{path:?}");
    }
}

#[test]
fn durations_follow_from_the_content() {
    let millis = |format, bytes: &[u8]| format::duration(format, bytes).map(|it| it.as_millis());
    assert_eq!(millis(Format::Au, &au(3)), Ok(3_000));
    assert_eq!(millis(Format::Wav, &wav(1, 2)), Ok(2_000));
    assert_eq!(millis(Format::Wav, &wav(7, 2)), Ok(2_000));
    assert_eq!(millis(Format::G729, &[0x87; 1_000]), Ok(1_000));
    assert_eq!(millis(Format::G729, &[0x87; 1_002]), Ok(1_010));
    let mut unknown_length = au(1);
    unknown_length[8..12].copy_from_slice(&[0xff; 4]);
    assert_eq!(millis(Format::Au, &unknown_length), Ok(1_000));
}

#[test]
fn what_is_fetched_is_known_by_its_content() {
    let of = |url, kind, bytes: &[u8]| format::of_content(url, kind, bytes).is_ok();
    assert!(of("http://a/x", "", &au(1)) && of("http://a/x.mp3", "audio/mpeg", &wav(1, 1)));
    assert!(
        of("http://a/x.g729?y=.mp3", "", &[0x87; 20])
            && of("http://a/x", "audio/G729", &[0x87; 20])
    );
    assert!(!of("http://a/x.au", "audio/basic", b"<html></html>"));
    assert!(!of("http://a/x", "application/octet-stream", &[0x87; 20]));
}

proptest::proptest! {
    #[test]
    fn no_content_is_too_strange(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        for (format, magic) in [
            (Format::Au, &b".snd"[..]), (Format::Wav, &b"RIFF\0\0\0\0WAVE"[..]), (Format::G729, &b""[..]),
        ] {
            let mut whole = magic.to_vec();
            whole.extend(&bytes);
            let duration = format::duration(format, &whole).unwrap_or_default();
            proptest::prop_assert!(duration < Duration::from_mins(1));
        }
    }
}
