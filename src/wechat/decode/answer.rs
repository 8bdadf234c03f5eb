//! Parts that the answers of several calls have in common.

use std::str::FromStr;

use serde::de::{Deserialize, Deserializer};

use crate::wechat::decode::lenient::{Integer, Text};

/// The answer of a call that returns no data. Requires `errcode`, since any server could answer `{}`.
#[derive(Debug, serde::Deserialize)]
pub(in crate::wechat) struct Done {
    #[serde(rename = "errcode")]
    _zero: Integer,
}

/// An owned text that keeps its line breaks; empty if the field is not a text.
#[derive(Debug, Default)]
pub(in crate::wechat) struct Lines(pub(in crate::wechat) String);

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        let mut text = text.unwrap_or_default().into_owned();
        text.retain(|c| c == '\n' || !c.is_ascii_control());
        Ok(Self(text))
    }
}

/// An identifier; `None` if the text is not a valid one.
#[derive(Debug)]
pub(in crate::wechat) struct Id<T>(pub(in crate::wechat) Option<T>);

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
