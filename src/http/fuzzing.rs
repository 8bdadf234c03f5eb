//! How cursors are read: for the fuzz targets alone.
//!
//! Compiled only where `cargo fuzz` sets `cfg(fuzzing)`. Adds no rule of its own.

use super::paging::{Cursor, MessageCursor};

/// What a text is as a cursor of each list that takes it, written again.
pub fn read_cursor(text: &str) -> Vec<String> {
    [
        of::<'f'>(text),
        of::<'r'>(text),
        of::<'p'>(text),
        MessageCursor::try_from(text.to_owned()).ok().map(String::from),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a page that ends with this row gives.
pub fn write_cursor(row: u64) -> String {
    Cursor::<'f'>::after(row).into()
}

fn of<const LIST: char>(text: &str) -> Option<String> {
    Cursor::<LIST>::try_from(text.to_owned()).ok().map(String::from)
}
