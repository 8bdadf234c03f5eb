//! Repairs invalid JSON from WeChat.
//!
//! Remarks and QR code scenes are free text, and WeChat has sent them with raw control characters, stray
//! backslashes, unescaped quotes, half surrogate pairs and invalid UTF-8. Called only for text that a strict
//! parse rejected. Valid JSON keeps its meaning.

/// Returns the bytes as UTF-8 text in which strings are escaped as JSON requires.
pub(in crate::wechat) fn repair(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut repairer = Repairer { rest: &text, out: String::with_capacity(text.len()) };
    while let Some(c) = repairer.next() {
        match c {
            '"' => repairer.string(),
            '\t' | '\n' | '\r' => repairer.out.push(c),
            c if c.is_control() => {}
            c => repairer.out.push(c),
        }
    }
    repairer.out
}

struct Repairer<'a> {
    rest: &'a str,
    out: String,
}

impl Repairer<'_> {
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next();
        self.rest = chars.as_str();
        c
    }

    /// Copies a string whose opening quote was just read, including its closing quote.
    fn string(&mut self) {
        self.out.push('"');
        while let Some(c) = self.next() {
            match c {
                '"' if ends_string(self.rest) => {
                    self.out.push('"');
                    return;
                }
                '"' => self.out.push_str("\\\""),
                '\\' => self.escape(),
                '\n' | '\r' if starts_field(self.rest) => {
                    self.out.push_str("\",");
                    return;
                }
                c if c < ' ' => {}
                c => self.out.push(c),
            }
        }
    }

    /// Copies an escape sequence whose backslash was just read. Drops a backslash that starts no valid one.
    fn escape(&mut self) {
        match self.rest.as_bytes().first() {
            Some(b'"') if quote_is_bare(&self.rest[1..]) => self.out.push_str("\\\\"),
            Some(&c @ (b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => {
                self.out.push('\\');
                self.out.push(char::from(c));
                self.rest = &self.rest[1..];
            }
            Some(b'u') => self.unicode(),
            _ => {}
        }
    }

    /// Copies a `\u` escape. Half a surrogate pair becomes the replacement character.
    fn unicode(&mut self) {
        let Some(first) = hex(&self.rest[1..]) else {
            return;
        };
        let pair = (0xD800..0xDC00).contains(&first);
        let second = self.rest.get(5..).and_then(|rest| rest.strip_prefix("\\u")).and_then(hex);
        let length = match second {
            Some(0xDC00..0xE000) if pair => 11,
            _ => 5,
        };
        if length == 5 && (0xD800..0xE000).contains(&first) {
            self.out.push('\u{FFFD}');
        } else {
            self.out.push('\\');
            self.out.push_str(&self.rest[..length]);
        }
        self.rest = &self.rest[length..];
    }
}

/// Parses the first four characters as a hexadecimal number.
fn hex(text: &str) -> Option<u32> {
    let digits = text.get(..4)?;
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    all_digits.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

/// Whether a quote followed by `after` closes its string. A structural character has to follow and, after a
/// comma, the start of a value or a name.
fn ends_string(after: &str) -> bool {
    let after = skip_whitespace(after);
    match after.as_bytes().first() {
        None | Some(b':' | b'}' | b']') => true,
        Some(b',') => {
            let next = skip_whitespace(&after[1..]);
            let starts_value = |c: char| c.is_ascii_digit() || "\"{[-".contains(c);
            let starts_with = |literal| next.starts_with(literal);
            next.is_empty()
                || next.starts_with(starts_value)
                || ["true", "false", "null"].into_iter().any(starts_with)
        }
        Some(_) => false,
    }
}

/// Whether a string that reaches the end of its line lost its closing quote there, because the next line
/// starts with a field.
fn starts_field(next_line: &str) -> bool {
    let name = skip_whitespace(next_line).strip_prefix('"').unwrap_or_default();
    let after = name.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let quote = after.strip_prefix('"').unwrap_or_default();
    after.len() < name.len() && skip_whitespace(quote).starts_with(':')
}

/// Skips spaces and control characters.
fn skip_whitespace(text: &str) -> &str {
    text.trim_start_matches(|c: char| c <= ' ')
}

/// Whether the quote between a backslash and `after` closes its string, and the backslash is the last
/// character of the text instead of an escape.
///
/// That is the case if structural characters follow and then a quote that opens a name: in valid JSON that
/// second quote would close the string, and a letter cannot follow a closing quote. It is also the case if
/// only closing brackets follow.
fn quote_is_bare(after: &str) -> bool {
    let structure = [' ', '\t', '\n', '\r', ',', '{', '[', '}', ']'];
    let next = after.trim_start_matches(structure);
    if next.len() == after.len() {
        return false;
    }
    match next.strip_prefix('"') {
        Some(name) => name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'),
        None => next.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn remark(bytes: &[u8]) -> String {
        let json = repair(bytes);
        let value: Value =
            serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
        assert_eq!(value["after"], 1, "{json}");
        value["remark"].as_str().unwrap().to_owned()
    }

    #[test]
    fn raw_control_characters_are_dropped() {
        assert_eq!(remark(b"{\"remark\":\"a\x07\x08\x14\nb\",\x00\"after\":1}"), "ab");
    }

    #[test]
    fn a_stray_backslash_is_dropped() {
        assert_eq!(remark(br#"{"remark":"a\d \u12x","after":1}"#), "ad u12x");
    }

    #[test]
    fn a_backslash_at_the_end_of_a_text_does_not_swallow_the_next_field() {
        assert_eq!(remark(br#"{"remark":"a\","after":1}"#), "a\\");
        assert_eq!(remark(br#"{"after":1,"remark":"a\"}"#), "a\\");
    }

    #[test]
    fn bare_quotes_become_part_of_the_text() {
        assert_eq!(remark(br#"{"remark":"say "hi", twice","after":1}"#), r#"say "hi", twice"#);
    }

    #[test]
    fn a_text_cut_off_at_the_end_of_its_line_ends_there() {
        assert_eq!(remark(b"{\"remark\":\"http://a/b\n  \"after\": 1}"), "http://a/b");
        assert_eq!(remark(b"{\"remark\":\"a\n\",\"after\":1}"), "a");
    }

    #[test]
    fn half_an_emoji_becomes_the_replacement_character() {
        assert_eq!(
            remark(br#"{"remark":"\ud83d \ude00 \ud83d\ude00","after":1}"#),
            "\u{FFFD} \u{FFFD} 😀"
        );
    }

    #[test]
    fn broken_utf_8_is_replaced() {
        assert_eq!(remark(b"{\"remark\":\"a\xff\xe4\xb8b\",\"after\":1}"), "a\u{FFFD}\u{FFFD}b");
    }

    fn json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![".*", r#"[\\",:\[\]{}a u]*"#];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(text.clone(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn valid_json_keeps_its_meaning(value in json()) {
            for text in [value.to_string(), format!("{value:#}")] {
                let repaired: Value = serde_json::from_str(&repair(text.as_bytes())).unwrap();
                prop_assert_eq!(&repaired, &value);
            }
        }

        #[test]
        fn repairing_any_bytes_does_not_panic(bytes: Vec<u8>) {
            repair(&bytes);
        }

        #[test]
        fn repairing_broken_json_does_not_panic(text in r#"[\\",:\[\]{}a ud89cDf]*"#) {
            repair(text.as_bytes());
        }
    }
}
