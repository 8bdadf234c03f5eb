//! Validates the values of a message by the kind of each keyword, as in WeChat's table of parameters.

use serde_json::Value;

use crate::sandbox::errcode::Refusal;
use crate::sandbox::world::Template;

/// Checks that the data contains a valid value for every key of the template.
pub(super) fn check(template: &Template, data: &Value) -> Result<(), Refusal> {
    for key in template.keys() {
        let value = data[key]["value"].as_str().unwrap_or_default();
        if value.trim().is_empty() {
            return Err(invalid(format!("data.{key}.value is empty")));
        }
        if !is_allowed(key.trim_end_matches(|c: char| c.is_ascii_digit()), value) {
            return Err(invalid(format!("data.{key}.value invalid")));
        }
    }
    Ok(())
}

fn invalid(what: String) -> Refusal {
    Refusal::with_message(47003, format!("argument invalid! {what}"))
}

/// Whether a keyword of this kind may have this value. Old keywords without a kind may have any value.
fn is_allowed(kind: &str, value: &str) -> bool {
    let length = value.chars().count();
    match kind {
        "thing" | "const" => length <= 20,
        "short_thing" => length <= 5,
        "character_string" => length <= 32 && !value.chars().any(is_chinese),
        "number" => length <= 32 && is_number(value.strip_prefix('-').unwrap_or(value)),
        "letter" => length <= 32 && value.chars().all(|c| c.is_ascii_alphabetic()),
        "symbol" => length <= 5 && !value.chars().any(char::is_alphanumeric),
        "time" | "date" => is_time(value),
        "amount" => is_amount(value),
        "phone_number" => length <= 17 && !value.chars().any(char::is_alphabetic),
        "car_number" => length <= 8 && value.chars().all(char::is_alphanumeric),
        "phrase" => length <= 5 && value.chars().all(is_chinese),
        "name" => length <= if value.chars().any(is_chinese) { 10 } else { 20 },
        _ => true,
    }
}

fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}')
}

/// Whether the value is digits with an optional fraction.
fn is_number(value: &str) -> bool {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction)
}

/// Whether the value contains only digits and the separators of dates, times and ranges (`~`).
fn is_time(value: &str) -> bool {
    let is_separator = |c: char| "年月日时分秒点:-/.~ :".contains(c);
    value.contains(|c: char| c.is_ascii_digit())
        && value.chars().all(|c| c.is_ascii_digit() || is_separator(c))
}

/// Whether the value is an amount: an optional currency sign, up to ten digits with an optional fraction, and
/// an optional `元`.
fn is_amount(value: &str) -> bool {
    let value = value.strip_prefix(['¥', '¥', '$', '€', '£']).unwrap_or(value);
    let value = value.strip_suffix('元').unwrap_or(value);
    is_number(value) && value.split('.').next().is_some_and(|whole| whole.len() <= 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_keyword_kind_follows_wechats_value_rules() {
        for (kind, good, bad) in [
            ("thing", "二十个字以内 any", "123456789012345678901"),
            ("short_thing", "五个字以内", "五个字以外的"),
            ("character_string", "A-1 #7", "订单1"),
            ("number", "-12.5", "12a"),
            ("letter", "abc", "ab1"),
            ("symbol", "+-*", "+a"),
            ("time", "2026年1月2日 15:01~16:01", "tomorrow"),
            ("date", "2026-01-02", "2026-01-02T00:00Z"),
            ("amount", "¥1234567890.50元", "12345678901"),
            ("phone_number", "+86-0766-66888866", "call me"),
            ("car_number", "粤A8Z888挂", "粤A8Z888挂挂"),
            ("phrase", "配送中", "sent"),
            ("name", "Twenty letters or so", "一二三四五六七八九十一"),
            ("const", "已签收", "123456789012345678901"),
        ] {
            assert!(is_allowed(kind, good), "{kind}: {good}");
            assert!(!is_allowed(kind, bad), "{kind}: {bad}");
        }
        assert!(is_allowed("keyword", &"any".repeat(50)));
    }
}
