//! What a body says, whether it says it in XML or in JSON.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::str::FromStr;

use super::Malformed;

/// How deep elements, objects and arrays may stand within one another. WeChat nests four deep.
pub(super) const DEEPEST: usize = 8;

/// How many values a body may hold. WeChat's have a few dozen at most.
pub(super) const MOST_VALUES: usize = 512;

/// The longest text that is kept, in characters. A QR code's scene has up to 64.
const LONGEST_TEXT: usize = 128;

/// A value; a number is its digits, as WeChat itself writes some of them as texts.
#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    Fields(Fields),
    List(Vec<Value>),
}

/// Fields by name. A name counts without the blanks around it and in small letters: WeChat's own
/// samples have `" OpenID"`, and `MsgId` here and `MsgID` there.
#[derive(Debug, Default)]
pub(super) struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// Adds a field that is not there yet.
    pub(super) fn add(&mut self, name: &str, value: Value) -> Result<(), Malformed> {
        match self.0.entry(name.trim().to_ascii_lowercase()) {
            Entry::Vacant(place) => {
                place.insert(value);
                Ok(())
            }
            Entry::Occupied(_) => Err(Malformed::Duplicate),
        }
    }

    /// Adds a field that makes a list where it is there already: so XML writes arrays.
    pub(super) fn add_to_list(&mut self, name: &str, value: Value) {
        match self.0.entry(name.trim().to_ascii_lowercase()) {
            Entry::Vacant(place) => {
                place.insert(value);
            }
            Entry::Occupied(mut place) => match place.get_mut() {
                Value::List(values) => values.push(value),
                single => {
                    let first = std::mem::replace(single, Value::List(Vec::new()));
                    *single = Value::List(vec![first, value]);
                }
            },
        }
    }

    /// Whether there is such a field.
    pub(super) fn has(&self, name: &'static str) -> bool {
        self.0.contains_key(&name.to_ascii_lowercase())
    }

    /// The field without blanks around it; `None` where it is missing or empty.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, Malformed> {
        match self.0.get(&name.to_ascii_lowercase()) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            Some(_) => Err(Malformed::Field(name)),
        }
    }

    /// The field fit to be kept: without control characters, which no database takes all of.
    pub(super) fn printable(&self, name: &'static str) -> Result<Option<String>, Malformed> {
        Ok(self.text(name)?.map(printable).filter(|text| !text.is_empty()))
    }

    /// The whole number that the field is; `None` where it is missing or empty.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<i64>, Malformed> {
        let number = self.text(name)?.map(|text| text.parse().map_err(|_| Malformed::Field(name)));
        number.transpose()
    }

    /// The identifier that the field is; `None` where it is none.
    pub(super) fn id<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, Malformed> {
        Ok(self.text(name)?.and_then(|text| text.parse().ok()))
    }

    /// The objects that the field holds: one, or a list of them.
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

/// The text without control characters, and no longer than what is kept.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_TEXT).collect()
}
