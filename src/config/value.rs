//! Reads the strings, numbers and flags of a section.
//!
//! A string from the environment may represent a number or a flag; a string from a file may not.

use std::ops::RangeInclusive;

use figment::value::{Num, Value};
use serde_json::json;

use super::layers::variable;
use super::mistake::{Fault, Origin};
use super::section::{Found, Section};
use super::toml_text::join;

impl Section<'_> {
    /// Reads a string and converts it with `rule`.
    pub(super) fn text<T>(
        &mut self,
        key: &str,
        rule: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Option<T> {
        let found = self.take(key)?;
        let Value::String(_, text) = &found.value else {
            return self.wrong_type(found, "a string");
        };
        let text = text.clone();
        self.show(&found, json!(text));
        self.or_mistake(found, rule(&text))
    }

    /// Reads a required string.
    pub(super) fn required_text<T>(
        &mut self,
        key: &str,
        rule: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Option<T> {
        if !self.contains(key) {
            let hint = format!("set {key}, or {}", variable(&join(self.path(), key)));
            self.mistake(key, Fault::new("is missing").hint(hint));
        }
        self.text(key, rule)
    }

    /// Reads a whole number within `range`.
    pub(super) fn number<T: TryFrom<i128>>(
        &mut self,
        key: &str,
        range: RangeInclusive<i128>,
    ) -> Option<T> {
        let found = self.take(key)?;
        let number = match &found.value {
            Value::Num(_, Num::I128(number)) => Some(*number),
            Value::String(_, text) if found.is_from_environment() => text.trim().parse().ok(),
            _ => None,
        };
        let Some(number) = number else {
            return self.wrong_type(found, "a whole number");
        };
        self.show(&found, json!(i64::try_from(number).ok()));
        let (min, max) = (range.start(), range.end());
        let fault = || Fault::new(format!("must be from {min} to {max}, not {number}"));
        let in_range = Some(number).filter(|number| range.contains(number));
        let value = in_range.and_then(|number| T::try_from(number).ok()).ok_or_else(fault);
        self.or_mistake(found, value)
    }

    /// Reads a number from 0 to 1.
    pub(super) fn ratio(&mut self, key: &str) -> Option<f64> {
        let found = self.take(key)?;
        let number = match &found.value {
            Value::Num(_, Num::I128(number)) => Some(*number as f64),
            Value::Num(_, Num::F64(number)) => Some(*number),
            Value::String(_, text) if found.is_from_environment() => text.trim().parse().ok(),
            _ => None,
        };
        let Some(number) = number else {
            return self.wrong_type(found, "a number");
        };
        self.show(&found, json!(number));
        let is_in_range = (0.0..=1.0).contains(&number);
        let fault = Fault::new(format!("must be from 0 to 1, not {number}"))
            .hint("0.05 is 5 % of the known followers");
        self.or_mistake(found, if is_in_range { Ok(number) } else { Err(fault) })
    }

    /// Reads `true` or `false`.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let found = self.take(key)?;
        let flag = match &found.value {
            Value::Bool(_, flag) => Some(*flag),
            Value::String(_, text) if found.is_from_environment() => text.trim().parse().ok(),
            _ => None,
        };
        let Some(flag) = flag else {
            return self.wrong_type(found, "true or false");
        };
        self.show(&found, json!(flag));
        Some(flag)
    }
}

impl Found<Value> {
    fn is_from_environment(&self) -> bool {
        matches!(self.origin, Origin::Environment(_))
    }
}
