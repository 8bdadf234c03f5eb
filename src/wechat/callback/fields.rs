//! The fields of a body, independent of whether it is XML or JSON.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::str::FromStr;

use super::Malformed;

/// The maximum nesting depth of elements, objects and arrays. WeChat nests up to four levels.
pub(super) const MAX_DEPTH: usize = 8;

/// The maximum number of values in a body. WeChat's bodies have a few dozen at most.
pub(super) const MAX_VALUES: usize = 512;

/// The maximum length of a text that is kept, in characters. The scene of a QR code has up to 64.
const MAX_TEXT_CHARS: usize = 128;

/// A value. Numbers are kept as text, since WeChat writes some of them as text.
#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    Fields(Fields),
    List(Vec<Value>),
}

/// Fields by name. Names are trimmed and case-insensitive: WeChat's own samples contain `" OpenID"`, and both
/// `MsgId` and `MsgID`.
#[derive(Debug, Default)]
pub(super) struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// Adds a field. Fails if it already exists.
    pub(super) fn add(&mut self, name: &str, value: Value) -> Result<(), Malformed> {
        match self.0.entry(name.trim().to_ascii_lowercase()) {
            Entry::Vacant(entry) => {
                entry.insert(value);
                Ok(())
            }
            Entry::Occupied(_) => Err(Malformed::Duplicate),
        }
    }

    /// Adds a field. If it already exists, it becomes a list, as XML repeats an element to form an array.
    pub(super) fn add_to_list(&mut self, name: &str, value: Value) {
        match self.0.entry(name.trim().to_ascii_lowercase()) {
            Entry::Vacant(entry) => {
                entry.insert(value);
            }
            Entry::Occupied(mut entry) => match entry.get_mut() {
                Value::List(values) => values.push(value),
                single => {
                    let first = std::mem::replace(single, Value::List(Vec::new()));
                    *single = Value::List(vec![first, value]);
                }
            },
        }
    }

    /// Whether the field exists.
    pub(super) fn has(&self, name: &'static str) -> bool {
        self.0.contains_key(&name.to_ascii_lowercase())
    }

    /// The trimmed text of the field; `None` if it is missing or empty.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, Malformed> {
        match self.0.get(&name.to_ascii_lowercase()) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            Some(_) => Err(Malformed::Field(name)),
        }
    }

    /// The text of the field, ready to store: without control characters, as no database accepts all of them.
    pub(super) fn printable(&self, name: &'static str) -> Result<Option<String>, Malformed> {
        Ok(self.text(name)?.map(printable).filter(|text| !text.is_empty()))
    }

    /// The field as a whole number; `None` if it is missing or empty.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<i64>, Malformed> {
        let number = self.text(name)?.map(|text| text.parse().map_err(|_| Malformed::Field(name)));
        number.transpose()
    }

    /// The field as an identifier; `None` if it is missing or not a valid one.
    pub(super) fn id<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, Malformed> {
        Ok(self.text(name)?.and_then(|text| text.parse().ok()))
    }

    /// The objects in the field: one, or a list of them.
    pub(super) fn rows(&self, name: &'static str) -> Vec<&Fields> {
        self.0.get(&name.to_ascii_lowercase()).map_or_else(Vec::new, Value::rows)
    }
}

impl Value {
    fn rows(&self) -> Vec<&Fields> {
        match self {
            Self::Text(_) => Vec::new(),
            Self::Fields(fields) => vec![fields],
            Self::List(values) => values.iter().flat_map(Self::rows).collect(),
        }
    }
}

/// The text without control characters, cut to [`MAX_TEXT_CHARS`].
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_TEXT_CHARS).collect()
}
