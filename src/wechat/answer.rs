//! What answers of several calls have in common.

use std::str::FromStr;

use serde::de::{Deserialize, Deserializer};

use super::lenient::{Integer, Text};

/// The answer of a call that only does something: it has to say so, for `{}` may be anybody's.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Done {
    #[serde(rename = "errcode")]
    _zero: Integer,
}

/// A text that outlives the answer, with its line ends; empty where it is none.
#[derive(Debug, Default)]
pub(super) struct Lines(pub(super) String);

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        let mut text = text.unwrap_or_default().into_owned();
        text.retain(|c| c == '\n' || !c.is_ascii_control());
        Ok(Self(text))
    }
}

/// An identifier; absent where the text is none.
#[derive(Debug)]
pub(super) struct Id<T>(pub(super) Option<T>);

impl<T> Default for Id<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: FromStr> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Text::deserialize(deserializer)?.parse()))
    }
}
