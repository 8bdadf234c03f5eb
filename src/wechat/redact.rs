//! Takes what must not be repeated out of WeChat's words about a failure.

use std::borrow::Cow;
use std::ops::Range;

/// What stands for what was taken out.
pub(super) const REDACTED: &str = "[…]";

/// A shorter value is redacted only where it is a word of its own: messages hold values such as `1`, which
/// would take every errmsg apart.
const SHORT: usize = 8;

/// The longest key of a template that is believed to be one.
const LONGEST_KEY: usize = 30;

/// The text without these values; what lies within the path of a field stays, as the field's name says
/// nothing of its value.
pub(super) fn redact<'a>(text: &str, values: impl Iterator<Item = &'a str>) -> String {
    let kept: Vec<Range<usize>> = fields(text).map(|(path, _)| path).collect();
    let is_kept = |found: &Range<usize>| {
        kept.iter().any(|path| path.start <= found.start && found.end <= path.end)
    };
    let mut found: Vec<Range<usize>> = values.flat_map(|value| places(text, value)).collect();
    found.retain(|found| !is_kept(found));
    found.sort_unstable_by_key(|found| found.start);
    let (mut shown, mut at) = (String::with_capacity(text.len()), 0);
    for Range { start, end } in found {
        if start >= at {
            shown.push_str(&text[at..start]);
            shown.push_str(REDACTED);
        }
        at = at.max(end);
    }
    shown + &text[at..]
}

/// The fields of a message that the text points at, as in `data.thing2.value invalid`: where each path
/// is, and its key.
pub(super) fn fields(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    const BEFORE: &str = "data.";
    const AFTER: &str = ".value";
    text.match_indices(BEFORE).filter_map(|(start, _)| {
        let rest = &text[start + BEFORE.len()..];
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        let is_field = (1..=LONGEST_KEY).contains(&length) && rest[length..].starts_with(AFTER);
        let end = start + BEFORE.len() + length + AFTER.len();
        is_field.then(|| (start..end, &rest[..length]))
    })
}

/// Where the text repeats the value.
fn places(text: &str, value: &str) -> Vec<Range<usize>> {
    let value = printable(value);
    if value.is_empty() {
        return Vec::new();
    }
    let found = text.match_indices(&*value).map(|(start, _)| start..start + value.len());
    found.filter(|found| value.len() >= SHORT || is_word(text, found)).collect()
}

/// The value as an errmsg can hold it.
fn printable(value: &str) -> Cow<'_, str> {
    match value.bytes().any(|byte| byte.is_ascii_control()) {
        true => value.chars().filter(|c| !c.is_ascii_control()).collect(),
        false => value.into(),
    }
}

/// Whether no letter or digit goes on before or after it. Chinese is written without gaps: there every
/// text is a word.
fn is_word(text: &str, found: &Range<usize>) -> bool {
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let goes_on =
        |left: &str, right: &str| joins(left.chars().next_back()) && joins(right.chars().next());
    let (before, after) = (&text[..found.start], &text[found.end..]);
    let word = &text[found.clone()];
    !goes_on(before, word) && !goes_on(word, after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, values: &[&str]) -> String {
        redact(text, values.iter().copied())
    }

    #[test]
    fn values_are_taken_out_wherever_they_are() {
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
    fn a_short_value_does_not_take_the_words_apart() {
        let errmsg = "argument invalid! data.thing1.value invalid rid: 1a-1-1";
        assert_eq!(shown(errmsg, &["i", "al", "id"]), errmsg);
        assert_eq!(shown("value 1 is not 11 or 中1", &["1"]), "value […] is not 11 or 中[…]");
    }

    #[test]
    fn the_path_of_a_field_stays_whatever_the_values_are() {
        let errmsg = "argument invalid! data.thing2.value invalid";
        let values = ["data", "thing2", "value", "thing2.value", "data.thing2.value"];
        assert_eq!(shown(errmsg, &values), errmsg);
        assert_eq!(shown(errmsg, &["data.thing2.value invalid"]), "argument invalid! […]");
        assert_eq!(shown("data.张三.value", &["张三"]), "data.[…].value");
    }

    #[test]
    fn only_what_looks_like_a_field_is_taken_for_one() {
        let keys = |text| fields(text).map(|(_, key)| key).collect::<Vec<_>>();
        assert_eq!(keys("data.a.value or data.phone_number6.value"), ["a", "phone_number6"]);
        let long = format!("data.{}.value", "k".repeat(31));
        for text in ["data..value", "data.a b.value", "data.a.colour", "data.a", &long] {
            assert_eq!(keys(text), [""; 0], "{text}");
        }
    }
}
