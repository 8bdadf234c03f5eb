//! The cursor of a list: it is valid for at most one list, and is written as it was read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unionid_bridge::http::fuzzing::{read_cursor, write_cursor};

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let read = read_cursor(&text);
    assert!(read.len() <= 1, "{text:?} is a cursor of several lists: {read:?}");
    assert!(read.iter().all(|again| *again == text), "{text:?} was read as {read:?}");

    if let Some(row) = input.first_chunk() {
        let written = write_cursor(u64::from_le_bytes(*row));
        assert_eq!(read_cursor(&written), [written]);
    }
});
