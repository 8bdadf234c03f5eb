//! Access to the cursor parsers for the fuzz targets.
//!
//! Compiled only with `cfg(fuzzing)`, which `cargo fuzz` sets. Adds no logic of its own.

use super::paging::{Cursor, MessageCursor};

/// Parses `text` as a cursor of each list, and returns every accepted cursor, formatted again.
pub fn read_cursor(text: &str) -> Vec<String> {
    [
        round_trip::<'f'>(text),
        round_trip::<'r'>(text),
        round_trip::<'p'>(text),
        MessageCursor::try_from(text.to_owned()).ok().map(String::from),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Formats the cursor of a page that ends with `row`.
pub fn write_cursor(row: u64) -> String {
    Cursor::<'f'>::after(row).into()
}

fn round_trip<const LIST: char>(text: &str) -> Option<String> {
    Cursor::<LIST>::try_from(text.to_owned()).ok().map(String::from)
}
