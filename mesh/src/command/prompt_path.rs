//! Paths of prompts by their text alone, so that a bad one is refused before anything is looked up.

/// Most characters of a path.
const LONGEST: usize = 255;

/// Extensions that prompts have.
const EXTENSIONS: [&str; 3] = ["au", "g729", "wav"];

/// Checks a path by its text.
///
/// # Errors
/// What is wrong with it.
pub fn check(path: &str) -> Result<(), &'static str> {
    if path.is_empty() || path.len() > LONGEST || path.chars().any(char::is_control) {
        return Err("is no path of a prompt");
    }
    // Also what other systems, or other readers of the path, take for a way out.
    let leaves = |part: &str| matches!(part, "." | "..");
    if path.starts_with('/') || path.contains('\\') || path.split('/').any(leaves) {
        return Err("leaves the prompt folder");
    }
    let extension = path.rsplit_once('.').map(|(_, extension)| extension).unwrap_or_default();
    if !EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension)) {
        return Err("is not `au`, `g729` or `wav`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_path_is_judged_by_its_text() {
        for path in ["hello.au", "visa/status.G729", "a..b/c.wav"] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
        for path in [
            "",
            "../x.au",
            "a/../../x.au",
            "/etc/x.au",
            "a\\b.au",
            "./a.au",
            "a.mp3",
            "a",
            "a\n.au",
        ] {
            assert!(check(path).is_err(), "{path}");
        }
    }
}
