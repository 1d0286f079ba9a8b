//! Cursors: what is read says the same when it is written and read again.
#![no_main]

use mesh::cursor::Cursor;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(cursor) = Cursor::decode(text) {
        assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
    }
});
