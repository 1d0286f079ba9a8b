//! The JSON form of the public messages, and how it is checked.
//!
//! Each public message implements [`Message`], generated from the field options. Reading
//! collects everything that is wrong before it refuses; writing goes straight into the buffer
//! that is sent. Date-times are `"YYYY-MM-DD HH:MM:SS"` in UTC, flags `1`/`0` or `"Y"`/`"N"`,
//! enums their names in lower case; what is absent or unspecified is left out.

mod problems;
mod read;
mod time;
mod write;

use bytes::Bytes;
use serde_json::Value;

pub use problems::{Kind, Path, Problem, Problems};
pub use read::{
    Fields, Names, Range, boolean, date_time, double, flag, int32, int64, message, one_of, string,
};
pub use time::{format_date_time, parse_date_time};
pub use write::{Items, Object, write_string};

/// A message of the public API.
pub trait Message: Default {
    /// Reads the message from JSON, noting in `problems` what is wrong below `path`.
    ///
    /// What is returned is of use only when `problems` stayed empty.
    fn read(value: &Value, path: &Path<'_>, problems: &mut Problems) -> Self;

    /// Appends the message as compact JSON.
    fn write(&self, out: &mut Vec<u8>);

    /// Returns the message as compact JSON.
    fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        self.write(&mut out);
        out
    }
}

/// Reads a message that is complete in itself; `null` is read as `{}`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn from_value<T: Message>(value: &Value) -> Result<T, Problems> {
    let mut problems = Problems::default();
    let empty = Value::Object(serde_json::Map::new());
    let value = if value.is_null() { &empty } else { value };
    let message = T::read(value, &Path::ROOT, &mut problems);
    if problems.is_empty() { Ok(message) } else { Err(problems) }
}

/// Reads the params of a method into its encoded request.
pub(crate) fn read_params<T: Message + prost::Message>(value: &Value) -> Result<Bytes, Problems> {
    from_value::<T>(value).map(|request| request.encode_to_vec().into())
}

/// Writes the encoded response of a method as JSON.
pub(crate) fn write_result<T: Message + prost::Message>(
    response: &[u8],
) -> Result<Vec<u8>, prost::DecodeError> {
    Ok(T::decode(response)?.to_json())
}
