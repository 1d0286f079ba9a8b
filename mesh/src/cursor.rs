//! Cursors: places in the event log as applications hold them (`cursor`, `event_id`,
//! `resume_from`).
//!
//! A cursor says a place and carries no right: scope is checked anew wherever it is used. Its text
//! is base64url without padding of
//!
//! ```text
//! version u8 = 1 | kind u8 | payload | crc32 of all before, u32
//! kind 1, one place:   i_customer u64 | place
//! kind 2, wide scope:  count u16 | place * count
//! place:               partition u16 | born_millis u64 | nonce u32 | millis u64 | sequence u64
//! ```
//!
//! with every number in big endian. The check sum finds what was mistyped or cut off, it does not
//! stop anybody from making one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ledger::{Epoch, Partition, Position};

const VERSION: u8 = 1;
const ONE: u8 = 1;
const WIDE: u8 = 2;

/// Bytes of one place.
const PLACE_BYTES: usize = 30;

/// A place in the log of one partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The partition; cursors have room for 65,536.
    pub partition: Partition,
    /// The log's epoch.
    pub epoch: Epoch,
    /// Everything up to here has been seen.
    pub position: Position,
}

/// What a cursor says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cursor {
    /// One place: that of an event, or of a scope within one customer.
    One {
        /// Whose log it is a place of; 0 when unknown or wide.
        i_customer: i64,
        /// The place.
        place: Place,
    },
    /// One place a partition, for the scope of an administrator or a reseller.
    Wide(Vec<Place>),
}

/// The text is no cursor of this log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor")]
pub struct CursorError;

impl Cursor {
    /// The text that applications get.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = vec![VERSION];
        match self {
            Self::One { i_customer, place } => {
                bytes.push(ONE);
                bytes.extend(i_customer.to_be_bytes());
                write_place(&mut bytes, place);
            }
            Self::Wide(places) => {
                bytes.push(WIDE);
                let count = narrow(places.len());
                bytes.extend(count.to_be_bytes());
                for place in places.iter().take(count.into()) {
                    write_place(&mut bytes, place);
                }
            }
        }
        let sum = crc32fast::hash(&bytes);
        bytes.extend(sum.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what [`Cursor::encode`] wrote.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn decode(text: &str) -> Result<Self, CursorError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        let (body, sum) = bytes.split_last_chunk::<4>().ok_or(CursorError)?;
        if crc32fast::hash(body) != u32::from_be_bytes(*sum) {
            return Err(CursorError);
        }
        read(body).ok_or(CursorError)
    }
}

fn narrow<T>(number: T) -> u16
where
    u16: TryFrom<T>,
{
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn write_place(bytes: &mut Vec<u8>, place: &Place) {
    bytes.extend(narrow(place.partition).to_be_bytes());
    bytes.extend(place.epoch.born_millis.to_be_bytes());
    bytes.extend(place.epoch.nonce.to_be_bytes());
    bytes.extend(place.position.millis.to_be_bytes());
    bytes.extend(place.position.sequence.to_be_bytes());
}

fn read(body: &[u8]) -> Option<Cursor> {
    let (&[VERSION, kind], mut rest) = body.split_first_chunk::<2>()? else { return None };
    let cursor = match kind {
        ONE => {
            let i_customer = i64::from_be_bytes(take(&mut rest)?);
            Cursor::One { i_customer, place: read_place(&mut rest)? }
        }
        WIDE => {
            let count = usize::from(u16::from_be_bytes(take(&mut rest)?));
            // Before anything is reserved for them.
            if rest.len() != count * PLACE_BYTES {
                return None;
            }
            Cursor::Wide((0..count).map(|_| read_place(&mut rest)).collect::<Option<_>>()?)
        }
        _ => return None,
    };
    rest.is_empty().then_some(cursor)
}

fn read_place(rest: &mut &[u8]) -> Option<Place> {
    Some(Place {
        partition: u16::from_be_bytes(take(rest)?).into(),
        epoch: Epoch {
            born_millis: u64::from_be_bytes(take(rest)?),
            nonce: u32::from_be_bytes(take(rest)?),
        },
        position: Position {
            millis: u64::from_be_bytes(take(rest)?),
            sequence: u64::from_be_bytes(take(rest)?),
        },
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place() -> impl Strategy<Value = Place> {
        (any::<u16>(), any::<u64>(), any::<u32>(), any::<u64>(), any::<u64>()).prop_map(
            |(partition, born_millis, nonce, millis, sequence)| Place {
                partition: partition.into(),
                epoch: Epoch { born_millis, nonce },
                position: Position { millis, sequence },
            },
        )
    }

    fn cursor() -> impl Strategy<Value = Cursor> {
        prop_oneof![
            (any::<i64>(), place())
                .prop_map(|(i_customer, place)| Cursor::One { i_customer, place }),
            proptest::collection::vec(place(), 0..20).prop_map(Cursor::Wide),
        ]
    }

    fn example() -> Cursor {
        let place = Place {
            partition: 5,
            epoch: Epoch { born_millis: 1_700_000_000_000, nonce: 0xdead_beef },
            position: Position { millis: 1_700_000_000_123, sequence: 4 },
        };
        Cursor::One { i_customer: 7, place }
    }

    proptest! {
        #[test]
        fn a_cursor_reads_what_it_writes(cursor in cursor()) {
            prop_assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
        }

        #[test]
        fn one_wrong_byte_is_found(cursor in cursor(), at: prop::sample::Index, by in 1_u8..) {
            let mut bytes = URL_SAFE_NO_PAD.decode(cursor.encode()).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            prop_assert_eq!(Cursor::decode(&URL_SAFE_NO_PAD.encode(bytes)), Err(CursorError));
        }

        #[test]
        fn a_body_of_any_bytes_with_a_right_sum_does_no_harm(mut bytes: Vec<u8>) {
            let sum = crc32fast::hash(&bytes);
            bytes.extend(sum.to_be_bytes());
            let text = URL_SAFE_NO_PAD.encode(bytes);
            if let Ok(cursor) = Cursor::decode(&text) {
                prop_assert_eq!(cursor.encode(), text);
            }
        }

        #[test]
        fn any_text_does_no_harm(text: String) {
            Cursor::decode(&text).ok();
        }
    }

    /// Applications keep cursors over upgrades: the text of a place never changes.
    #[test]
    fn the_text_of_a_place_stays_the_same() {
        assert_eq!(
            example().encode(),
            "AQEAAAAAAAAABwAFAAABi8_laADerb7vAAABi8_laHsAAAAAAAAABF3MpwM"
        );
    }

    #[test]
    fn other_texts_are_no_cursors() {
        let text = example().encode();

        for other in ["", "0-0", &text[1..], &text[..text.len() - 1], &format!("{text}=")] {
            assert_eq!(Cursor::decode(other), Err(CursorError), "{other}");
        }
    }
}
