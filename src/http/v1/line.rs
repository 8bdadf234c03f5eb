//! Text of one line: links, pages, names.

use serde::{Deserialize, Deserializer, Serialize};

use crate::http::error::turns_around;

/// A text of 1 to `MOST` characters, on one line and not turned around.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Line<const MOST: usize>(String);

impl<const MOST: usize> TryFrom<String> for Line<MOST> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_one_line = !text.chars().any(|c| c.is_control() || turns_around(c));
        match is_one_line && (1..=MOST).contains(&text.chars().count()) {
            true => Ok(Self(text)),
            false => Err(format!("must be 1 to {MOST} characters on one line")),
        }
    }
}

impl<const MOST: usize> From<Line<MOST>> for String {
    fn from(line: Line<MOST>) -> Self {
        line.0
    }
}

/// A line where WeChat takes an empty one for none, as its own examples have them.
pub(super) fn none_if_empty<'de, const MOST: usize, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Line<MOST>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty());
    text.map(Line::try_from).transpose().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_short_and_reads_as_it_is_written() {
        let read = |text: &str| Line::<4>::try_from(text.to_owned()).map(String::from).ok();
        assert_eq!(read("付款提醒").as_deref(), Some("付款提醒"));
        for text in ["", "12345", "a\nb", "a\0", "\u{202e}a", "\u{200f}a"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_empty_line_may_stand_for_none_and_nothing_else_does() {
        let read = |json: &str| {
            let line = none_if_empty::<4, _>(&mut serde_json::Deserializer::from_str(json));
            line.map(|line| line.map(String::from)).ok()
        };
        assert_eq!((read("\"\""), read("null")), (Some(None), Some(None)));
        assert_eq!(read("\"a\""), Some(Some("a".to_owned())));
        for json in ["5", "[]", "\"12345\"", "\"\\n\""] {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
