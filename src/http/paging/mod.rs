//! Pages of a list: how many entries, and where the next page begins.
//!
//! Every list of the API is a [`Page`], asked for with a `limit` and a `cursor`. A cursor is opaque to
//! callers: a letter for the list it is of, and the row after which to go on. Every text of that form is a
//! cursor, so a forged one leads to a page and nowhere else.
//!
//! A list that is whole in memory, because WeChat or one statement gives all of it, is cut by [`Page::cut`]:
//! its cursor is a [`Position`], and each page is of the list as it stands then.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::model::MessageId;

/// A page of a list
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The entries, in the list's order
    pub(super) data: Vec<T>,
    /// Where the next page begins; null on the last one
    #[schema(required = true)]
    pub(super) next_cursor: Option<String>,
}

/// Which page of a list that is whole in memory, and has no other parameters.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CutQuery {
    /// How many at most; 100 where it is not said
    #[param(value_type = Option<u64>, minimum = 1, maximum = 1000)]
    limit: Option<Limit<MOST_CUT>>,
    /// The `next_cursor` of the page before
    #[param(value_type = Option<String>, pattern = "^p[0-7][0-9a-f]{15}$")]
    cursor: Option<Position>,
}

impl CutQuery {
    /// The page of the list.
    pub(super) fn page<R, T>(self, whole: Vec<R>, shown: impl FnMut(R) -> T) -> Page<T> {
        Page::cut(whole, self.limit, self.cursor, shown)
    }
}

/// How many entries come before, of a list that is whole in memory.
pub(super) type Position = Cursor<'p'>;

/// Entries of such a list on a page at most.
pub(super) const MOST_CUT: u64 = 1_000;

/// The same, unless it is said how many.
const USUAL_CUT: u64 = 100;

impl<T> Page<T> {
    /// From rows of which one more than `limit` was asked for: whether it is there tells whether there is
    /// a next page. `after` is the cursor that goes on after a row.
    pub(super) fn of_rows<R>(
        mut rows: Vec<R>,
        limit: u64,
        after: impl FnOnce(&R) -> String,
        shown: impl FnMut(R) -> T,
    ) -> Self {
        let is_last = rows.len() as u64 <= limit;
        rows.truncate(limit as usize);
        let next_cursor = rows.last().filter(|_| !is_last).map(after);
        Self { data: rows.into_iter().map(shown).collect(), next_cursor }
    }

    /// From a list that is whole in memory.
    pub(super) fn cut<R>(
        whole: Vec<R>,
        limit: Option<Limit<MOST_CUT>>,
        cursor: Option<Position>,
        shown: impl FnMut(R) -> T,
    ) -> Self {
        let (limit, before) = (limit.map_or(USUAL_CUT, Limit::get), cursor.map_or(0, Cursor::row));
        let next = before.saturating_add(limit);
        let next_cursor = (next < whole.len() as u64).then(|| Position::after(next).into());
        let rows = whole.into_iter().skip(before as usize).take(limit as usize);
        Self { data: rows.map(shown).collect(), next_cursor }
    }
}

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
mod tests;
