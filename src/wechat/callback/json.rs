//! Parses JSON bodies, which Mini Programs can choose.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Malformed;
use super::fields::{Fields, MAX_DEPTH, MAX_VALUES, Value};

/// Parses a JSON document, which must be an object, into its fields.
pub(super) fn read(text: &str) -> Result<Fields, Malformed> {
    let shared = Shared::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Node { shared: &shared, depth: 0 }.deserialize(&mut deserializer);
    let value = value.and_then(|value| deserializer.end().map(|()| value));
    match value {
        Ok(Value::Fields(fields)) => Ok(fields),
        _ => Err(shared.problem.get().unwrap_or(Malformed::Syntax)),
    }
}

/// State that all nodes of a document share.
#[derive(Default)]
struct Shared {
    values: Cell<usize>,
    /// The problem, unless it is a syntax error. Kept here because the library's errors contain only text.
    problem: Cell<Option<Malformed>>,
}

impl Shared {
    fn refuse<E: serde::de::Error>(&self, problem: Malformed) -> E {
        self.problem.set(Some(problem));
        E::custom(problem)
    }
}

/// A value nested in `depth` objects and arrays.
#[derive(Clone, Copy)]
struct Node<'a> {
    shared: &'a Shared,
    depth: usize,
}

impl Node<'_> {
    fn child<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth {
            MAX_DEPTH => Err(self.shared.refuse(Malformed::Depth)),
            depth => Ok(Self { depth: depth + 1, ..self }),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let values = &self.shared.values;
        values.set(values.get() + 1);
        if values.get() > MAX_VALUES {
            return Err(self.shared.refuse(Malformed::Fields));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Text(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Text(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Text(number.to_string()))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Text(flag.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Text(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let (child, mut values) = (self.child()?, Vec::new());
        while let Some(value) = seq.next_element_seed(child)? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let (child, mut fields) = (self.child()?, Fields::default());
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(child)?;
            fields.add(&name, value).map_err(|problem| self.shared.refuse(problem))?;
        }
        Ok(Value::Fields(fields))
    }
}
