//! The name of one life of a log.

use std::fmt;
use std::str::FromStr;

/// Name of one life of a partition's log: the store's time of birth in milliseconds and a nonce,
/// so that two epochs can be told apart and an epoch says when it began.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch {
    /// When the epoch began, milliseconds since 1970 UTC by the store's clock.
    pub born_millis: u64,
    /// Random.
    pub nonce: u32,
}

impl fmt::Display for Epoch {
    /// `<born_millis>-<nonce as 8 hexadecimal digits>`, as it goes over the wire.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08x}", self.born_millis, self.nonce)
    }
}

/// A text that names no epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of an epoch")]
pub struct NotAnEpoch;

impl FromStr for Epoch {
    type Err = NotAnEpoch;

    fn from_str(text: &str) -> Result<Self, NotAnEpoch> {
        let (born_millis, nonce) = text.split_once('-').ok_or(NotAnEpoch)?;
        let epoch = Self {
            born_millis: born_millis.parse().map_err(|_| NotAnEpoch)?,
            nonce: u32::from_str_radix(nonce, 16).map_err(|_| NotAnEpoch)?,
        };
        // An epoch has one name: no signs, no other number of digits.
        if epoch.to_string() == text { Ok(epoch) } else { Err(NotAnEpoch) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_reads_its_own_name_and_no_other() {
        let epoch = Epoch { born_millis: 1_234, nonce: 0xabc };

        assert_eq!(epoch.to_string(), "1234-00000abc");
        assert_eq!("1234-00000abc".parse(), Ok(epoch));
        for text in ["", "1234", "-", "1234-abc", "+1234-00000abc", "1234-00000ABC", "x-00000abc"] {
            assert_eq!(text.parse::<Epoch>(), Err(NotAnEpoch), "{text}");
        }
    }
}
