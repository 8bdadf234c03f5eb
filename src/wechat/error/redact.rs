//! Redacts confidential values in the error texts that WeChat returns.

use std::borrow::Cow;
use std::ops::Range;

/// The replacement for a redacted value.
pub(in crate::wechat) const REDACTED: &str = "[…]";

/// A value shorter than this number of bytes is redacted only where it is a whole word: messages contain
/// values such as `1`, and redacting each `1` would make errmsgs unreadable.
const MIN_SUBSTRING_BYTES: usize = 8;

/// The maximum length in bytes of a template key.
const MAX_KEY_BYTES: usize = 30;

/// Returns the text with these values redacted. Matches inside the path of a field are kept, as the name of a
/// field does not reveal its value.
pub(in crate::wechat) fn redact<'a>(text: &str, values: impl Iterator<Item = &'a str>) -> String {
    let kept: Vec<Range<usize>> = fields(text).map(|(path, _)| path).collect();
    let is_kept = |found: &Range<usize>| {
        kept.iter().any(|path| path.start <= found.start && found.end <= path.end)
    };
    let mut found: Vec<Range<usize>> = values.flat_map(|value| occurrences(text, value)).collect();
    found.retain(|found| !is_kept(found));
    found.sort_unstable_by_key(|found| found.start);
    let (mut output, mut at) = (String::with_capacity(text.len()), 0);
    for Range { start, end } in found {
        if start >= at {
            output.push_str(&text[at..start]);
            output.push_str(REDACTED);
        }
        at = at.max(end);
    }
    output + &text[at..]
}

/// The message fields that the text mentions, as in `data.thing2.value invalid`. Returns the range of each
/// path, and its key.
pub(in crate::wechat) fn fields(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    const BEFORE: &str = "data.";
    const AFTER: &str = ".value";
    text.match_indices(BEFORE).filter_map(|(start, _)| {
        let rest = &text[start + BEFORE.len()..];
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        let is_field = (1..=MAX_KEY_BYTES).contains(&length) && rest[length..].starts_with(AFTER);
        let end = start + BEFORE.len() + length + AFTER.len();
        is_field.then(|| (start..end, &rest[..length]))
    })
}

/// The ranges where the text contains the value.
fn occurrences(text: &str, value: &str) -> Vec<Range<usize>> {
    let value = printable(value);
    if value.is_empty() {
        return Vec::new();
    }
    let found = text.match_indices(&*value).map(|(start, _)| start..start + value.len());
    found.filter(|found| value.len() >= MIN_SUBSTRING_BYTES || is_word(text, found)).collect()
}

/// The value as it appears in an errmsg: without control characters.
fn printable(value: &str) -> Cow<'_, str> {
    match value.bytes().any(|byte| byte.is_ascii_control()) {
        true => value.chars().filter(|c| !c.is_ascii_control()).collect(),
        false => value.into(),
    }
}

/// Whether `found` is a whole word: no ASCII letter or digit continues it on either side. Chinese is written
/// without spaces, so every Chinese text counts as a word.
fn is_word(text: &str, found: &Range<usize>) -> bool {
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let continues =
        |left: &str, right: &str| joins(left.chars().next_back()) && joins(right.chars().next());
    let (before, after) = (&text[..found.start], &text[found.end..]);
    let word = &text[found.clone()];
    !continues(before, word) && !continues(word, after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, values: &[&str]) -> String {
        redact(text, values.iter().copied())
    }

    #[test]
    fn values_are_redacted_anywhere_in_the_text() {
        for (text, values, left) in [
            ("invalid 张三, ok", ["张三", "", ""], "invalid […], ok"),
            ("no 13800138000.", ["1380", "13800138000", "x"], "no […]."),
            ("no13800138000x", ["13800138000", "", ""], "no[…]x"),
            ("ab cd", ["ab cd", "cd", "ab"], "[…]"),
            ("line oneline two", ["line one\nline two", "", ""], "[…]"),
            ("abcdefgh-efghijkl", ["abcdefgh-efg", "fgh-efghijkl", ""], "[…]"),
        ] {
            assert_eq!(shown(text, &values), left, "{text}");
        }
    }

    #[test]
    fn a_short_value_is_redacted_only_as_a_whole_word() {
        let errmsg = "argument invalid! data.thing1.value invalid rid: 1a-1-1";
        assert_eq!(shown(errmsg, &["i", "al", "id"]), errmsg);
        assert_eq!(shown("value 1 is not 11 or 中1", &["1"]), "value […] is not 11 or 中[…]");
    }

    #[test]
    fn a_field_path_is_kept_even_if_it_contains_a_value() {
        let errmsg = "argument invalid! data.thing2.value invalid";
        let values = ["data", "thing2", "value", "thing2.value", "data.thing2.value"];
        assert_eq!(shown(errmsg, &values), errmsg);
        assert_eq!(shown(errmsg, &["data.thing2.value invalid"]), "argument invalid! […]");
        assert_eq!(shown("data.张三.value", &["张三"]), "data.[…].value");
    }

    #[test]
    fn only_a_complete_field_path_is_recognized() {
        let keys = |text| fields(text).map(|(_, key)| key).collect::<Vec<_>>();
        assert_eq!(keys("data.a.value or data.phone_number6.value"), ["a", "phone_number6"]);
        let long = format!("data.{}.value", "k".repeat(31));
        for text in ["data..value", "data.a b.value", "data.a.colour", "data.a", &long] {
            assert_eq!(keys(text), [""; 0], "{text}");
        }
    }
}
