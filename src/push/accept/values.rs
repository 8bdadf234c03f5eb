//! WeChat's rules for the text of a template key. The prefix of the key's name selects the rule.
//!
//! WeChat rejects a text that breaks its rule with 47003 and sends nothing. Where its documentation
//! is ambiguous, the text passes and WeChat decides. Keys of legacy templates (`first`, `keyword1`,
//! `name`) only have to be non-empty: the key types with a rule end with a number.

use std::fmt;

/// The rule for a text, by the type of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// `thing`: up to 20 characters of any kind.
    Thing,
    /// `short_thing`: up to 5 characters of any kind.
    ShortThing,
    /// `character_string`: up to 32 letters, digits and symbols.
    CharacterString,
    /// `number`: up to 32 digits, optionally with a fraction.
    Number,
    /// `letter`: up to 32 letters.
    Letter,
    /// `symbol`: up to 5 symbols.
    Symbol,
    /// `time` and `date`: a time or a date in a common format.
    Time,
    /// `amount`: up to 10 digits, optionally with a fraction, a leading currency or a trailing 元.
    Amount,
    /// `phone_number`: up to 17 digits and symbols.
    PhoneNumber,
    /// `car_number`: up to 8 characters.
    CarNumber,
    /// `phrase`: up to 5 Chinese characters.
    Phrase,
    /// `name`: up to 10 characters if any is Chinese, otherwise up to 20 letters and symbols.
    Name,
    /// `const`: up to 20 characters, one of the values that the template lists.
    Const,
}

impl Rule {
    /// The rule of a key such as `thing2`, or `None` if its type has none.
    pub(super) fn of(key: &str) -> Option<Self> {
        let kind = key.trim_end_matches(|c: char| c.is_ascii_digit());
        if kind == key {
            return None;
        }
        Some(match kind {
            "thing" => Self::Thing,
            "short_thing" => Self::ShortThing,
            "character_string" => Self::CharacterString,
            "number" => Self::Number,
            "letter" => Self::Letter,
            "symbol" => Self::Symbol,
            "time" | "date" => Self::Time,
            "amount" => Self::Amount,
            "phone_number" => Self::PhoneNumber,
            "car_number" => Self::CarNumber,
            "phrase" => Self::Phrase,
            "name" => Self::Name,
            "const" => Self::Const,
            _ => return None,
        })
    }

    /// Whether a non-empty text follows the rule.
    pub(super) fn allows(self, text: &str) -> bool {
        let max = |count: usize| text.chars().count() <= count;
        let all = |allowed: fn(char) -> bool| text.chars().all(allowed);
        match self {
            Self::Thing | Self::Const => max(20),
            Self::ShortThing => max(5),
            Self::CharacterString => max(32) && !text.chars().any(is_han),
            Self::Number => max(32) && is_decimal(text),
            Self::Letter => max(32) && all(char::is_alphabetic) && !text.chars().any(is_han),
            Self::Symbol => max(5) && !text.chars().any(char::is_alphanumeric),
            Self::Time => max(64) && text.chars().any(char::is_numeric),
            Self::Amount => is_amount(text),
            Self::PhoneNumber => max(17) && !text.chars().any(char::is_alphabetic),
            Self::CarNumber => max(8),
            Self::Phrase => max(5) && all(is_han),
            Self::Name => max(if text.chars().any(is_han) { 10 } else { 20 }),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Thing => "1 to 20 characters",
            Self::ShortThing => "1 to 5 characters",
            Self::CharacterString => "1 to 32 letters, digits and symbols, none of them Chinese",
            Self::Number => "1 to 32 digits, optionally with a fraction",
            Self::Letter => "1 to 32 letters",
            Self::Symbol => "1 to 5 symbols",
            Self::Time => "a time or a date, such as 2026-01-31 15:01 or 2026年1月31日",
            Self::Amount => {
                "1 to 10 digits, optionally with a fraction, a leading currency or a trailing 元"
            }
            Self::PhoneNumber => "1 to 17 digits and symbols",
            Self::CarNumber => "1 to 8 characters",
            Self::Phrase => "1 to 5 Chinese characters",
            Self::Name => "1 to 10 characters if any is Chinese, otherwise 1 to 20",
            Self::Const => "one of the values that the template lists, of 1 to 20 characters",
        })
    }
}

/// Whether `c` is a Chinese character.
fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{323af}' | '〇' | '々')
}

/// Digits, optionally with a leading sign and one decimal point.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction)
}

fn is_amount(text: &str) -> bool {
    let text = text.strip_suffix('元').unwrap_or(text).trim();
    // A sign may come before or after the currency; commas may group thousands.
    let is_prefix = |c: char| !c.is_alphanumeric() || c.is_ascii_uppercase();
    let number = text.trim_start_matches(is_prefix).replace(',', "");
    let prefix_length = text.chars().take_while(|c| is_prefix(*c)).count();
    // WeChat's documentation does not say whether fraction digits count.
    let whole = number.split('.').next().unwrap_or_default();
    let digits = whole.bytes().filter(u8::is_ascii_digit).count();
    prefix_length <= 4 && digits <= 10 && is_decimal(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(key: &str, text: &str) -> bool {
        Rule::of(key).is_none_or(|rule| rule.allows(text))
    }

    #[test]
    fn values_that_wechat_accepts_pass_the_check() {
        for (key, text) in [
            ("thing2", "一二三四五六七八九十一二三四五六七八九十"),
            ("thing2", "Umbrella ☂ 2x"),
            ("name", "a product of an older template, with a name as long as it likes"),
            ("number", "No. 17"),
            ("date", "soon"),
            ("short_thing3", "已发货"),
            ("character_string1", "SF-1234567890_ab#"),
            ("number4", "12"),
            ("number4", "-3.25"),
            ("letter1", "abcXYZ"),
            ("symbol1", "!!…"),
            ("time3", "15:01"),
            ("time3", "2019年10月1日 15:01"),
            ("date4", "2019-10-01~2019-10-07"),
            ("amount5", "39.8元"),
            ("amount5", "￥39.80"),
            ("amount5", "-$1,234.50"),
            ("amount5", "CNY 39"),
            ("amount5", "￥1234567890.50"),
            ("phone_number1", "+86-0766-66888866"),
            ("car_number1", "粤A8Z888挂"),
            ("phrase3", "配送中"),
            ("name1", "张三"),
            ("name1", "John Smith-Miller"),
            ("const1", "已支付"),
            ("first", "anything at all, however long it may be, and 中文"),
            ("keyword1", "巧克力"),
        ] {
            assert!(allows(key, text), "{key}: {text}");
        }
    }

    #[test]
    fn values_that_wechat_rejects_with_47003_fail_the_check() {
        for (key, text) in [
            ("thing2", "一二三四五六七八九十一二三四五六七八九十一"),
            ("short_thing3", "一二三四五六"),
            ("character_string1", "订单1"),
            ("character_string1", "123456789012345678901234567890123"),
            ("number4", "twelve"),
            ("number4", "1.2.3"),
            ("number4", "."),
            ("letter1", "abc1"),
            ("symbol1", "!!!!!!"),
            ("symbol1", "a"),
            ("time3", "soon"),
            ("amount5", "12345678901"),
            ("amount5", "free"),
            ("amount5", "元"),
            ("phone_number1", "123456789012345678"),
            ("phone_number1", "call me"),
            ("car_number1", "粤A8Z888挂1"),
            ("phrase3", "配送中 ok"),
            ("phrase3", "一二三四五六"),
            ("name1", "一二三四五六七八九十一"),
            ("name1", "abcdefghijklmnopqrstu"),
            ("const1", "abcdefghijklmnopqrstu"),
        ] {
            assert!(!allows(key, text), "{key}: {text}");
        }
    }
}
