//! What a message says: a text for each of its template's keys.
//!
//! Bounded, because a batch repeats it for each of a thousand people. Whether it suits the template is
//! judged with the message.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::http::error::fit;
use crate::http::v1::line::{Line, none_if_empty};
use crate::model::Text;

/// Keys of one message.
const MOST_KEYS: usize = 32;

/// Characters of a key.
const LONGEST_KEY: usize = 64;

/// Bytes of one message's keys and texts: WeChat's own limits are far below.
const MOST_BYTES: usize = 8 * 1024;

/// The texts of a message by the template's keys; a key stands in it once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Data(BTreeMap<String, Text>);

/// A text for one of the template's keys, alone or as WeChat writes it
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum KeyText {
    Text(String),
    WithColor(ColoredText),
}

/// A text as WeChat writes it
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ColoredText {
    /// The text
    value: String,
    /// Its colour, such as `#173177`; WeChat has ignored it since 2023
    #[serde(default, deserialize_with = "none_if_empty")]
    #[schema(value_type = Option<String>, max_length = 64)]
    color: Option<Line<64>>,
}

impl Data {
    /// The texts by their keys.
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
                return Err(A::Error::custom(format!("`{}` is no key of a template", fit(&key))));
            }
            let text = Text::from(map.next_value::<KeyText>()?);
            if !text.value.chars().all(may_stand) {
                return Err(A::Error::custom(format!("`{key}` has control characters")));
            }
            bytes += key.len() + text.value.len();
            if data.len() == MOST_KEYS || bytes > MOST_BYTES {
                let most = format!("at most {MOST_KEYS} keys and {MOST_BYTES} bytes are taken");
                return Err(A::Error::custom(most));
            }
            if data.contains_key(&key) {
                return Err(A::Error::custom(format!("`{key}` stands twice")));
            }
            data.insert(key, text);
        }
        Ok(Data(data))
    }
}

fn is_key(key: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || c == '_';
    (1..=LONGEST_KEY).contains(&key.chars().count()) && key.chars().all(allowed)
}

/// Lines may be many; nothing else is let through that cannot be seen.
fn may_stand(c: char) -> bool {
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

/// By hand, because what serde says of an untagged enum does not name what is wrong.
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
    fn a_text_is_given_alone_or_as_wechat_writes_it() {
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
    fn what_is_wrong_is_named_with_its_key() {
        let long = format!(r#"{{"a": "{}"}}"#, "x".repeat(MOST_BYTES));
        let colored = format!(r#"{{"thing2": {{"value": "x", "color": "{}"}}}}"#, "x".repeat(65));
        let many: Vec<_> = (0..=MOST_KEYS).map(|key| format!(r#""k{key}": "x""#)).collect();
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
            (r#"{"thing2": "a\u0000"}"#, "`thing2` has control characters"),
            (r#"{"a": "1", "a": "2"}"#, "`a` stands twice"),
            (r#"{"a b": "1"}"#, "`a b` is no key of a template"),
            (r#"{"": "1"}"#, "`` is no key of a template"),
            (r#"["a"]"#, "invalid type: sequence, expected an object with a text for each key"),
            (&long, "at most 32 keys and 8192 bytes"),
            (&many, "at most 32 keys and 8192 bytes"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(expected), "{text:.40}: {refused}");
        }
    }
}
