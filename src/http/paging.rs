//! Pages of a list: how many entries, and where the next page begins.
//!
//! A cursor is opaque to callers: a letter for the list it is of, and the row after which to go on. Every
//! text of that form is a cursor, so a forged one leads to a page and nowhere else.

use serde::Deserialize;

use crate::model::MessageId;

/// How many entries a page has at most: from 1 to `MOST`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
pub(super) struct Limit<const MOST: u64>(u64);

impl<const MOST: u64> Limit<MOST> {
    /// The number.
    pub(super) fn get(self) -> u64 {
        self.0
    }
}

impl<const MOST: u64> TryFrom<u64> for Limit<MOST> {
    type Error = String;

    fn try_from(limit: u64) -> Result<Self, String> {
        match (1..=MOST).contains(&limit) {
            true => Ok(Self(limit)),
            false => Err(format!("limit is 1 to {MOST}")),
        }
    }
}

/// The row after which a page begins, of the list `OF`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Cursor<const OF: char>(u64);

/// Of a row's number in hexadecimal.
const DIGITS: usize = 16;

impl<const OF: char> Cursor<OF> {
    /// After this row, whose number the database counted.
    pub(super) fn after(row: u64) -> Self {
        Self(row & i64::MAX.cast_unsigned())
    }

    /// The row.
    pub(super) fn row(self) -> u64 {
        self.0
    }

    fn read(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(OF).filter(|digits| is_hex(digits, DIGITS))?;
        let row = u64::from_str_radix(digits, 16).ok()?;
        i64::try_from(row).ok().map(|_| Self(row))
    }
}

impl<const OF: char> TryFrom<String> for Cursor<OF> {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::read(&text).ok_or("this is not a next_cursor of this list")
    }
}

impl<const OF: char> From<Cursor<OF>> for String {
    fn from(cursor: Cursor<OF>) -> String {
        format!("{OF}{:0DIGITS$x}", cursor.0)
    }
}

/// The message after which a page of messages begins: their ids are their order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct MessageCursor(MessageId);

impl MessageCursor {
    const LIST: char = 'm';

    /// Of an id in hexadecimal.
    const DIGITS: usize = 32;

    /// After this message.
    pub(super) fn after(id: MessageId) -> Self {
        Self(id)
    }

    /// The message.
    pub(super) fn id(&self) -> &MessageId {
        &self.0
    }
}

impl TryFrom<String> for MessageCursor {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let digits = text.strip_prefix(Self::LIST).filter(|digits| is_hex(digits, Self::DIGITS));
        let id = digits.and_then(|digits| digits.parse().ok());
        id.map(Self).ok_or("this is not a next_cursor of this list")
    }
}

impl From<MessageCursor> for String {
    fn from(cursor: MessageCursor) -> String {
        format!("{}{}", MessageCursor::LIST, cursor.0)
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<u64> {
        Cursor::<'r'>::try_from(text.to_owned()).ok().map(Cursor::row)
    }

    #[test]
    fn only_what_a_page_gave_is_a_cursor() {
        let text = String::from(Cursor::<'r'>::after(1_000_000));
        assert_eq!((text.as_str(), read(&text)), ("r00000000000f4240", Some(1_000_000)));
        assert_eq!(read("r7fffffffffffffff"), Some(i64::MAX as u64));
        for strange in [
            "",
            "r",
            "f00000000000f4240",
            "r00000000000F4240",
            "r+0000000000f4240",
            "r8000000000000000",
            "r00000000000f424",
            "r00000000000f42400",
            "r00000000000f424\0",
            "r00000000000f424%",
            "\u{202e}",
            &"r".repeat(1_000_000),
        ] {
            assert_eq!(read(strange), None, "{strange:.40?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_is_what_was_written(text in ".*", row: u64) {
            if let Some(row) = read(&text) {
                prop_assert_eq!(String::from(Cursor::<'r'>::after(row)), text);
            }
            let cursor = Cursor::<'r'>::after(row);
            prop_assert_eq!(read(&String::from(cursor)), Some(cursor.row()));
        }
    }

    #[test]
    fn the_cursor_of_messages_is_an_id_and_nothing_else() {
        let read = |text: &str| MessageCursor::try_from(text.to_owned());
        let id = MessageId::new(1_700_000_000_000, [7; 10]);
        let text = String::from(MessageCursor::after(id.clone()));
        assert_eq!(read(&text).unwrap().id(), &id);
        for strange in ["", "m", &text[1..], &text[..32], &format!("{text}0"), &text.to_uppercase()]
        {
            assert!(read(strange).is_err(), "{strange}");
        }
    }

    #[test]
    fn a_page_has_at_least_one_entry_and_not_too_many() {
        let read = |limit| Limit::<100>::try_from(limit).ok().map(Limit::get);
        assert_eq!([0, 1, 100, 101].map(read), [None, Some(1), Some(100), None]);
    }
}
