//! What may be dialled and sent as digits.

/// Longest destination.
const LONGEST: usize = 64;

/// Longest name of a parking slot.
const LONGEST_SLOT: usize = 32;

/// True for what a phone can dial: a number, an account id or a name, 1 to 64 characters of
/// `0-9 + * # A-Z a-z . _ -`.
#[must_use]
pub fn is_destination(text: &str) -> bool {
    let is_dialable = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'*' | b'#' | b'.' | b'_' | b'-')
    };
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(is_dialable)
}

/// True for the name of a parking slot, 1 to 32 of the same characters: a phone may take from it.
#[must_use]
pub fn is_slot(text: &str) -> bool {
    text.len() <= LONGEST_SLOT && is_destination(text)
}

/// True for 1 to 64 keys of a phone: `0-9 * # A-D`.
#[must_use]
pub fn is_digits(text: &str) -> bool {
    let is_key = |byte| matches!(byte, b'0'..=b'9' | b'*' | b'#' | b'A'..=b'D');
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(is_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_can_be_dialled() {
        for text in ["102", "+12025550123", "*72", "alice.smith-1_a", "#1"] {
            assert!(is_destination(text), "{text}");
        }
        for text in ["", " 102", "102@host", "sip:102", "10\n2", "é", &"1".repeat(65)] {
            assert!(!is_destination(text), "{text}");
        }
    }

    #[test]
    fn a_slot_can_be_dialled() {
        assert!(is_slot("701"));
        for text in ["", "7 1", "7\n", &"1".repeat(33)] {
            assert!(!is_slot(text), "{text}");
        }
    }

    #[test]
    fn digits_are_keys_of_a_phone() {
        assert!(is_digits("0123456789*#ABCD"));
        for text in ["", "a", "E", "1 2", "+1", &"1".repeat(65)] {
            assert!(!is_digits(text), "{text}");
        }
    }
}
