//! Pagination: page sizes and cursors.
//!
//! Every list of the API is a [`Page`], requested with a `limit` and a `cursor`. A cursor is opaque to
//! callers: a letter that identifies the list, and the row after which the page starts. Every text of that
//! form is a valid cursor, so a forged one only selects another page.
//!
//! A list that is in memory as a whole, because WeChat or one statement returns all of it, is paginated by
//! [`Page::slice`]: its cursor is a [`Position`], and every request sees the list in its current state.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::model::MessageId;

/// A page of a list
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The entries of this page
    pub(super) data: Vec<T>,
    /// Pass it as `cursor` to get the next page; null on the last page
    #[schema(required = true)]
    pub(super) next_cursor: Option<String>,
}

/// The parameters of a list that is in memory as a whole and has no filters.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// The maximum number of entries on the page; 100 by default
    #[param(value_type = Option<u64>, minimum = 1, maximum = 1000)]
    limit: Option<Limit<MAX_PAGE_SIZE>>,
    /// The `next_cursor` of the previous page; left out for the first page
    #[param(value_type = Option<String>, pattern = "^p[0-7][0-9a-f]{15}$")]
    cursor: Option<Position>,
}

impl PageQuery {
    /// Returns the requested page of `list`.
    pub(super) fn page<R, T>(self, list: Vec<R>, to_entry: impl FnMut(R) -> T) -> Page<T> {
        Page::slice(list, self.limit, self.cursor, to_entry)
    }
}

/// The number of entries before the page, in a list that is in memory as a whole.
pub(super) type Position = Cursor<'p'>;

/// The maximum page size of a list that is in memory as a whole.
pub(super) const MAX_PAGE_SIZE: u64 = 1_000;

/// The page size of such a list without a `limit`.
const DEFAULT_PAGE_SIZE: u64 = 100;

impl<T> Page<T> {
    /// Makes a page from up to `limit + 1` rows; the extra row only indicates that there is a next page.
    /// `after` returns the cursor of the page that starts after a row.
    pub(super) fn of_rows<R>(
        mut rows: Vec<R>,
        limit: u64,
        after: impl FnOnce(&R) -> String,
        to_entry: impl FnMut(R) -> T,
    ) -> Self {
        let is_last = rows.len() as u64 <= limit;
        rows.truncate(limit as usize);
        let next_cursor = rows.last().filter(|_| !is_last).map(after);
        Self { data: rows.into_iter().map(to_entry).collect(), next_cursor }
    }

    /// Makes a page from a list that is in memory as a whole.
    pub(super) fn slice<R>(
        list: Vec<R>,
        limit: Option<Limit<MAX_PAGE_SIZE>>,
        cursor: Option<Position>,
        to_entry: impl FnMut(R) -> T,
    ) -> Self {
        let limit = limit.map_or(DEFAULT_PAGE_SIZE, Limit::get);
        let start = cursor.map_or(0, Cursor::row);
        let next = start.saturating_add(limit);
        let next_cursor = (next < list.len() as u64).then(|| Position::after(next).into());
        let rows = list.into_iter().skip(start as usize).take(limit as usize);
        Self { data: rows.map(to_entry).collect(), next_cursor }
    }
}

/// A page size from 1 to `MAX`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
pub(super) struct Limit<const MAX: u64>(u64);

impl<const MAX: u64> Limit<MAX> {
    /// The page size.
    pub(super) fn get(self) -> u64 {
        self.0
    }
}

impl<const MAX: u64> TryFrom<u64> for Limit<MAX> {
    type Error = String;

    fn try_from(limit: u64) -> Result<Self, String> {
        match (1..=MAX).contains(&limit) {
            true => Ok(Self(limit)),
            false => Err(format!("limit must be from 1 to {MAX}")),
        }
    }
}

/// The row after which a page of the list `LIST` starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Cursor<const LIST: char>(u64);

/// The number of hexadecimal digits of a row number.
const DIGITS: usize = 16;

impl<const LIST: char> Cursor<LIST> {
    /// Returns the cursor of the page that starts after this row number of the database.
    pub(super) fn after(row: u64) -> Self {
        Self(row & i64::MAX.cast_unsigned())
    }

    /// The row number.
    pub(super) fn row(self) -> u64 {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(LIST).filter(|digits| is_hex(digits, DIGITS))?;
        let row = u64::from_str_radix(digits, 16).ok()?;
        i64::try_from(row).ok().map(|_| Self(row))
    }
}

impl<const LIST: char> TryFrom<String> for Cursor<LIST> {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        Self::parse(&text).ok_or(NOT_A_CURSOR)
    }
}

impl<const LIST: char> From<Cursor<LIST>> for String {
    fn from(cursor: Cursor<LIST>) -> String {
        format!("{LIST}{:0DIGITS$x}", cursor.0)
    }
}

const NOT_A_CURSOR: &str = "cursor must be the next_cursor of a page of this list";

/// The message after which a page of messages starts. Messages are ordered by their ids.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct MessageCursor(MessageId);

impl MessageCursor {
    const LIST: char = 'm';

    /// The number of hexadecimal digits of an id.
    const DIGITS: usize = 32;

    /// Returns the cursor of the page that starts after this message.
    pub(super) fn after(id: MessageId) -> Self {
        Self(id)
    }

    /// The id of the message.
    pub(super) fn id(&self) -> &MessageId {
        &self.0
    }
}

impl TryFrom<String> for MessageCursor {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let digits = text.strip_prefix(Self::LIST).filter(|digits| is_hex(digits, Self::DIGITS));
        let id = digits.and_then(|digits| digits.parse().ok());
        id.map(Self).ok_or(NOT_A_CURSOR)
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
