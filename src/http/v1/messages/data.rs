//! The data of a message: a text for each key of its template.
//!
//! Limited in size, because a batch stores it for each of up to 1,000 users. Whether the data fits the
//! template is checked later, with the message.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::http::error::sanitize;
use crate::http::v1::single_line::{Line, none_if_empty};
use crate::model::Text;

/// The maximum number of keys.
const MAX_KEYS: usize = 32;

/// The maximum number of characters of a key.
const MAX_KEY_CHARS: usize = 64;

/// The maximum number of bytes of all keys and texts. WeChat's own limits are far below.
const MAX_BYTES: usize = 8 * 1024;

/// The texts of a message by template key. Repeated keys are rejected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Data(BTreeMap<String, Text>);

/// The text for a template key: a string, or an object as in WeChat's API
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum KeyText {
    Text(String),
    WithColor(ColoredText),
}

/// A text as an object, as in WeChat's API
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ColoredText {
    /// The text
    value: String,
    /// The color of the text, such as `#173177`; WeChat has ignored it since 2023
    #[serde(default, deserialize_with = "none_if_empty")]
    #[schema(value_type = Option<String>, max_length = 64)]
    color: Option<Line<64>>,
}

impl Data {
    /// Returns the texts by template key.
    pub(super) fn into_texts(self) -> BTreeMap<String, Text> {
        self.0
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DataVisitor)
    }
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a text for each key of the template")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Data, A::Error> {
        let (mut data, mut bytes) = (BTreeMap::new(), 0);
        while let Some(key) = map.next_key::<String>()? {
            if !is_key(&key) {
                let problem = format!("`{}` is not a valid template key", sanitize(&key));
                return Err(A::Error::custom(problem));
            }
            let text = Text::from(map.next_value::<KeyText>()?);
            if !text.value.chars().all(is_allowed) {
                return Err(A::Error::custom(format!("`{key}` contains control characters")));
            }
            bytes += key.len() + text.value.len();
            if data.len() == MAX_KEYS || bytes > MAX_BYTES {
                let limits = format!("data may have at most {MAX_KEYS} keys and {MAX_BYTES} bytes");
                return Err(A::Error::custom(limits));
            }
            if data.contains_key(&key) {
                return Err(A::Error::custom(format!("`{key}` is given twice")));
            }
            data.insert(key, text);
        }
        Ok(Data(data))
    }
}

fn is_key(key: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || c == '_';
    (1..=MAX_KEY_CHARS).contains(&key.chars().count()) && key.chars().all(allowed)
}

/// Whether a character may occur in a text: any except control characters other than line breaks and tabs.
fn is_allowed(c: char) -> bool {
    !c.is_control() || matches!(c, '\n' | '\r' | '\t')
}

impl From<KeyText> for Text {
    fn from(text: KeyText) -> Self {
        match text {
            KeyText::Text(value) => Self { value, color: None },
            KeyText::WithColor(ColoredText { value, color }) => {
                Self { value, color: color.map(String::from) }
            }
        }
    }
}

/// Implemented by hand, because serde's errors for untagged enums do not name the mistake.
impl<'de> Deserialize<'de> for KeyText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeyTextVisitor)
    }
}

struct KeyTextVisitor;

impl<'de> Visitor<'de> for KeyTextVisitor {
    type Value = KeyText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or an object with `value`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<KeyText, E> {
        Ok(KeyText::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<KeyText, A::Error> {
        ColoredText::deserialize(MapAccessDeserializer::new(map)).map(KeyText::WithColor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, Text)>, String> {
        let mut reader = serde_json::Deserializer::from_str(text);
        match serde_path_to_error::deserialize::<_, Data>(&mut reader) {
            Ok(data) => Ok(data.into_texts().into_iter().collect()),
            Err(error) => Err(format!("{}: {}", error.path(), error.inner())),
        }
    }

    #[test]
    fn a_value_is_a_plain_text_or_an_object_in_wechats_format() {
        let written = r##"{"a": "x\ny", "b": {"value": "z", "color": "#173177"},
            "c": {"value": "z", "color": "red"}, "d": {"value": "z", "color": ""}}"##;
        let found = read(written).unwrap();
        let text = |value: &str, color: Option<&str>| Text {
            value: value.to_owned(),
            color: color.map(str::to_owned),
        };
        let expected = [
            ("a", text("x\ny", None)),
            ("b", text("z", Some("#173177"))),
            ("c", text("z", Some("red"))),
            ("d", text("z", None)),
        ];
        assert_eq!(found, expected.map(|(key, text)| (key.to_owned(), text)));
    }

    #[test]
    fn an_invalid_value_is_reported_with_its_key() {
        let long = format!(r#"{{"a": "{}"}}"#, "x".repeat(MAX_BYTES));
        let colored = format!(r#"{{"thing2": {{"value": "x", "color": "{}"}}}}"#, "x".repeat(65));
        let many: Vec<_> = (0..=MAX_KEYS).map(|key| format!(r#""k{key}": "x""#)).collect();
        let many = format!("{{{}}}", many.join(","));
        for (text, expected) in [
            (r#"{"thing2": 5}"#, "thing2: invalid type: integer `5`, expected a text"),
            (r#"{"thing2": null}"#, "thing2: invalid type: null, expected a text"),
            (r#"{"thing2": ["x"]}"#, "thing2: invalid type: sequence, expected a text"),
            (r#"{"thing2": {}}"#, "thing2: missing field `value`"),
            (r#"{"thing2": {"value": "x", "colour": ""}}"#, "thing2.colour: unknown field"),
            (r#"{"thing2": {"value": "x", "color": 5}}"#, "thing2.color: invalid type: integer"),
            (&colored, "thing2.color: must be 1 to 64 characters on one line"),
            (r#"{"thing2": {"value": 5}}"#, "thing2.value: invalid type: integer `5`"),
            (r#"{"thing2": "a\u0000"}"#, "`thing2` contains control characters"),
            (r#"{"a": "1", "a": "2"}"#, "`a` is given twice"),
            (r#"{"a b": "1"}"#, "`a b` is not a valid template key"),
            (r#"{"": "1"}"#, "`` is not a valid template key"),
            (r#"["a"]"#, "invalid type: sequence, expected an object with a text for each key"),
            (&long, "at most 32 keys and 8192 bytes"),
            (&many, "at most 32 keys and 8192 bytes"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(expected), "{text:.40}: {refused}");
        }
    }
}
