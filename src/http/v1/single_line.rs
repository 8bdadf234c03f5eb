//! Single-line texts: links, pages, names.

use serde::{Deserialize, Deserializer, Serialize};

use crate::http::error::is_bidi_control;

/// A text of 1 to `MAX_CHARS` characters without control or bidirectional formatting characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Line<const MAX_CHARS: usize>(String);

impl<const MAX_CHARS: usize> TryFrom<String> for Line<MAX_CHARS> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_one_line = !text.chars().any(|c| c.is_control() || is_bidi_control(c));
        match is_one_line && (1..=MAX_CHARS).contains(&text.chars().count()) {
            true => Ok(Self(text)),
            false => Err(format!("must be 1 to {MAX_CHARS} characters on one line")),
        }
    }
}

impl<const MAX_CHARS: usize> From<Line<MAX_CHARS>> for String {
    fn from(line: Line<MAX_CHARS>) -> Self {
        line.0
    }
}

/// Deserializes an empty text as `None`: WeChat treats it so, and its own examples contain empty texts.
pub(super) fn none_if_empty<'de, const MAX_CHARS: usize, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Line<MAX_CHARS>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty());
    text.map(Line::try_from).transpose().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_short_and_without_control_characters() {
        let read = |text: &str| Line::<4>::try_from(text.to_owned()).map(String::from).ok();
        assert_eq!(read("付款提醒").as_deref(), Some("付款提醒"));
        for text in ["", "12345", "a\nb", "a\0", "\u{202e}a", "\u{200f}a"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn only_null_or_an_empty_text_is_read_as_none() {
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
