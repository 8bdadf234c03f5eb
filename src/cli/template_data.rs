//! The option `--data KEY=TEXT`: texts for a template's keys.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::model::Text;

/// A template key and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    key: String,
    text: String,
}

impl FromStr for Pair {
    type Err = &'static str;

    fn from_str(pair: &str) -> Result<Self, &'static str> {
        let (key, text) =
            pair.split_once('=').ok_or("must have the form KEY=TEXT, such as thing2=Umbrella")?;
        match key.trim() {
            "" => Err("must have a key before the `=`"),
            key => Ok(Self { key: key.to_owned(), text: text.to_owned() }),
        }
    }
}

/// Returns the texts by key. If a key is given twice, the last text wins.
pub(super) fn texts(pairs: &[Pair]) -> BTreeMap<String, Text> {
    let text = |pair: &Pair| (pair.key.clone(), Text { value: pair.text.clone(), color: None });
    pairs.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_contain_any_text_and_the_key_is_required() {
        let read = |pair: &str| pair.parse::<Pair>().map(|pair| (pair.key, pair.text));
        assert_eq!(read("thing2=a=b "), Ok(("thing2".to_owned(), "a=b ".to_owned())));
        assert_eq!(read(" thing2 ="), Ok(("thing2".to_owned(), String::new())));
        assert!(read("thing2").is_err() && read("=x").is_err());
    }
}
