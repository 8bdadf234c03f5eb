//! Bodies in JSON, which Mini Programs can choose.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Malformed;
use super::fields::{DEEPEST, Fields, MOST_VALUES, Value};

/// What a JSON document says: the fields of the object that it is.
pub(super) fn read(text: &str) -> Result<Fields, Malformed> {
    let reading = Reading::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Place { reading: &reading, depth: 0 }.deserialize(&mut deserializer);
    let value = value.and_then(|value| deserializer.end().map(|()| value));
    match value {
        Ok(Value::Fields(fields)) => Ok(fields),
        _ => Err(reading.problem.get().unwrap_or(Malformed::Syntax)),
    }
}

/// What all places of a document share.
#[derive(Default)]
struct Reading {
    values: Cell<usize>,
    /// What was wrong, where it was not the syntax: the library's errors hold texts only.
    problem: Cell<Option<Malformed>>,
}

impl Reading {
    fn refuse<E: serde::de::Error>(&self, problem: Malformed) -> E {
        self.problem.set(Some(problem));
        E::custom(problem)
    }
}

/// Where a value stands: within `depth` objects and arrays.
#[derive(Clone, Copy)]
struct Place<'a> {
    reading: &'a Reading,
    depth: usize,
}

impl Place<'_> {
    fn inside<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth {
            DEEPEST => Err(self.reading.refuse(Malformed::Depth)),
            depth => Ok(Self { depth: depth + 1, ..self }),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let values = &self.reading.values;
        values.set(values.get() + 1);
        if values.get() > MOST_VALUES {
            return Err(self.reading.refuse(Malformed::Fields));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
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
        let (inside, mut values) = (self.inside()?, Vec::new());
        while let Some(value) = seq.next_element_seed(inside)? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let (inside, mut fields) = (self.inside()?, Fields::default());
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(inside)?;
            fields.add(&name, value).map_err(|problem| self.reading.refuse(problem))?;
        }
        Ok(Value::Fields(fields))
    }
}
