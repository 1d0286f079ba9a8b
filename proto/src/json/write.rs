//! Writing of fields, as the generated code calls it: straight into the buffer that is sent.

use std::io::Write as _;

use super::Message;
use super::read::Names;
use super::time::format_date_time;

/// One object while it is written.
#[derive(Debug)]
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    /// Begins an object.
    pub fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    /// Ends the object.
    pub fn end(self) {
        self.out.push(b'}');
    }

    /// Writes a string.
    pub fn string(&mut self, name: &str, value: &str) {
        write_string(self.key(name), value);
    }

    /// Writes an integer.
    pub fn integer(&mut self, name: &str, value: impl Into<i64>) {
        write_integer(self.key(name), value.into());
    }

    /// Writes a number; what is no number in JSON is `null`.
    pub fn double(&mut self, name: &str, value: f64) {
        let number = serde_json::Number::from_f64(value);
        let text = number.map_or_else(|| "null".to_owned(), |number| number.to_string());
        self.key(name).extend_from_slice(text.as_bytes());
    }

    /// Writes `true` or `false`.
    pub fn boolean(&mut self, name: &str, value: bool) {
        self.key(name).extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// Writes `1` or `0`.
    pub fn flag(&mut self, name: &str, value: bool) {
        self.key(name).push(if value { b'1' } else { b'0' });
    }

    /// Writes `"Y"` or `"N"`.
    pub fn yes_no(&mut self, name: &str, value: bool) {
        self.key(name).extend_from_slice(if value { b"\"Y\"" } else { b"\"N\"" });
    }

    /// Writes microseconds since 1970 UTC as date and time.
    pub fn date_time(&mut self, name: &str, micros: i64) {
        write_string(self.key(name), &format_date_time(micros));
    }

    /// Writes the name of an enum's value; one without a name is left out.
    pub fn name(&mut self, name: &str, names: Names, number: i32) {
        if let Some(text) = name_of(names, number) {
            write_string(self.key(name), text);
        }
    }

    /// Writes an object.
    pub fn message(&mut self, name: &str, value: &impl Message) {
        value.write(self.key(name));
    }

    /// Writes a list, whose items `write` adds.
    pub fn list(&mut self, name: &str, write: impl FnOnce(&mut Items<'_>)) {
        let out = self.key(name);
        out.push(b'[');
        let mut items = Items { out, is_empty: true };
        write(&mut items);
        items.out.push(b']');
    }

    /// Writes a name and what stands before its value.
    fn key(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        // Names come from proto, where nothing in them needs an escape.
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }
}

/// One list while it is written.
#[derive(Debug)]
pub struct Items<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl Items<'_> {
    /// Writes objects.
    pub fn messages(&mut self, values: &[impl Message]) {
        for value in values {
            value.write(self.next());
        }
    }

    /// Writes strings.
    pub fn strings(&mut self, values: &[String]) {
        for value in values {
            write_string(self.next(), value);
        }
    }

    /// Writes integers.
    pub fn integers(&mut self, values: impl IntoIterator<Item = impl Into<i64>>) {
        for value in values {
            write_integer(self.next(), value.into());
        }
    }

    /// Writes the names of an enum's values; those without a name are left out.
    pub fn names(&mut self, names: Names, numbers: &[i32]) {
        for text in numbers.iter().filter_map(|number| name_of(names, *number)) {
            write_string(self.next(), text);
        }
    }

    fn next(&mut self) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out
    }
}

/// Appends a JSON string.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    // Runs without an escape, which is nearly always the whole text, are copied at once.
    while let Some(index) = rest.iter().position(|byte| needs_escape(*byte)) {
        let (plain, tail) = rest.split_at(index);
        out.extend_from_slice(plain);
        let Some((byte, tail)) = tail.split_first() else { break };
        escape(out, *byte);
        rest = tail;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

const fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            append(out, format_args!("\\u{byte:04x}"));
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn write_integer(out: &mut Vec<u8>, value: i64) {
    append(out, format_args!("{value}"));
}

fn append(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "a vector takes every write");
}

fn name_of(names: Names, number: i32) -> Option<&'static str> {
    names.iter().find(|(_, other)| *other == number).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        let mut out = Vec::new();

        write_string(&mut out, "a\"b\\c\n\r\t\u{8}\u{c}\u{0}\u{1f}ü€😀");

        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\"a\\\"b\\\\c\\n\\r\\t\\b\\f\\u0000\\u001fü€😀\""
        );
    }

    proptest! {
        #[test]
        fn any_string_is_read_back_as_it_was(text in any::<String>()) {
            let mut out = Vec::new();

            write_string(&mut out, &text);

            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
