//! Lenient types for the values that WeChat sends: a number may arrive as text and a flag as a number. A
//! field of an unexpected type counts as absent, so that one odd field never loses a user.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

/// A text. Borrowed from the answer if it has no escapes.
#[derive(Debug, Default)]
pub(in crate::wechat) struct Text<'a>(pub(in crate::wechat) Option<Cow<'a, str>>);

impl Text<'_> {
    /// The text without control characters, as no database accepts all of them; `None` if nothing is left.
    pub(in crate::wechat) fn into_printable(self) -> Option<String> {
        let text = self.0?;
        let text = match text.bytes().any(|byte| byte.is_ascii_control()) {
            true => text.chars().filter(|c| !c.is_ascii_control()).collect(),
            false => text.into_owned(),
        };
        (!text.is_empty()).then_some(text)
    }

    /// Parses the text as an identifier; `None` if it is not a valid one.
    pub(in crate::wechat) fn parse<T: std::str::FromStr>(&self) -> Option<T> {
        self.0.as_deref()?.parse().ok()
    }
}

/// A whole number; also accepts a text, a flag, and a float without a fraction.
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::wechat) struct Integer(pub(in crate::wechat) Option<i64>);

/// A count or a number of seconds. Unlike the other types, it must be present and valid.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(try_from = "Integer")]
pub(in crate::wechat) struct Count(pub(in crate::wechat) u64);

impl TryFrom<Integer> for Count {
    type Error = &'static str;

    fn try_from(number: Integer) -> Result<Self, Self::Error> {
        let number = number.0.and_then(|number| u64::try_from(number).ok());
        number.map(Self).ok_or("a count is not a number")
    }
}

/// The whole numbers of an array. Elements that are not numbers are skipped.
#[derive(Debug, Default)]
pub(in crate::wechat) struct Integers(pub(in crate::wechat) Vec<i64>);

/// Generates visitor methods that consume a value of these kinds and treat it as absent.
macro_rules! absent {
    ($($kind:ident)*) => { $($crate::wechat::decode::lenient::absent!(@$kind);)* };
    (@bool) => { fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> { Ok(Self::Value::default()) } };
    (@i64) => { fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> { Ok(Self::Value::default()) } };
    (@u64) => { fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> { Ok(Self::Value::default()) } };
    (@f64) => { fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> { Ok(Self::Value::default()) } };
    (@str) => { fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> { Ok(Self::Value::default()) } };
    (@unit) => { fn visit_unit<E>(self) -> Result<Self::Value, E> { Ok(Self::Value::default()) } };
    (@seq) => {
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
    (@map) => {
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            use serde::de::IgnoredAny;
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
}
pub(in crate::wechat) use absent;

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Some(Cow::Owned(text.to_owned()))))
    }

    absent!(bool i64 u64 f64 unit seq map);
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct IntegerVisitor;

impl<'de> Visitor<'de> for IntegerVisitor {
    type Value = Integer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Integer, E> {
        Ok(Integer(Some(i64::from(flag))))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Integer, E> {
        Ok(Integer(Some(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Integer, E> {
        Ok(Integer(i64::try_from(number).ok()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Integer, E> {
        // Up to 2^53 a float represents every whole number exactly; beyond that, digits would be invented.
        let exact = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
        Ok(Integer(exact.then_some(number as i64)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Integer, E> {
        Ok(Integer(match text.trim() {
            "true" => Some(1),
            "false" => Some(0),
            number => number.parse().ok(),
        }))
    }

    absent!(unit seq map);
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntegerVisitor)
    }
}

struct IntegersVisitor;

impl<'de> Visitor<'de> for IntegersVisitor {
    type Value = Integers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of whole numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Integers, A::Error> {
        let mut numbers = Vec::new();
        while let Some(Integer(number)) = seq.next_element()? {
            numbers.extend(number);
        }
        Ok(Integers(numbers))
    }

    absent!(bool i64 u64 f64 str unit map);
}

impl<'de> Deserialize<'de> for Integers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntegersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_is_read_from_every_representation() {
        for (json, number) in [
            ("1", Some(1)),
            ("-3", Some(-3)),
            ("\"42\"", Some(42)),
            ("\" 7 \"", Some(7)),
            ("true", Some(1)),
            ("\"false\"", Some(0)),
            ("2.0", Some(2)),
            ("2.5", None),
            ("18446744073709551615", None),
            ("null", None),
            ("[1]", None),
            ("{\"a\":{}}", None),
            ("\"x\"", None),
        ] {
            assert_eq!(serde_json::from_str::<Integer>(json).unwrap().0, number, "{json}");
        }
    }

    #[test]
    fn a_text_of_another_type_is_absent() {
        for json in ["1", "1.5", "true", "null", "[\"a\"]", "{\"a\":1}", "\"\"", "\"\\u0000\""] {
            let text: Text<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(text.into_printable(), None, "{json}");
        }
    }

    #[test]
    fn escapes_are_decoded_and_control_characters_dropped() {
        let text: Text<'_> = serde_json::from_str(r#""a\u4e2d\u0000\tb""#).unwrap();
        assert_eq!(text.into_printable().as_deref(), Some("a中b"));
    }

    #[test]
    fn an_array_keeps_its_numbers() {
        for (json, numbers) in [
            ("[1,\"2\",null,{},3]", vec![1, 2, 3]),
            ("\"1\"", vec![]),
            ("{}", vec![]),
            ("null", vec![]),
        ] {
            assert_eq!(serde_json::from_str::<Integers>(json).unwrap().0, numbers, "{json}");
        }
    }
}
