//! The error that WeChat returned, redacted for display.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

use crate::wechat::error::redact::{REDACTED, fields, redact};

/// The error that WeChat returned, without the parts that vary from call to call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Upstream {
    /// WeChat's error code.
    pub errcode: i64,
    /// WeChat's error text without its tail, links, and anything that looks like an identifier or a secret.
    pub errmsg: String,
    /// WeChat's request id. `openapi/rid/get` returns details about it for seven days.
    pub rid: Option<String>,
}

/// The maximum length of an errmsg that is kept, in characters.
const MAX_ERRMSG_CHARS: usize = 200;

/// A word with a digit and at least this many bytes is treated as an openid, a token or a secret. An appid
/// has 18 characters and is shown.
const MIN_IDENTIFIER_BYTES: usize = 20;

impl Upstream {
    /// Parses an errmsg such as `invalid openid rid: 64f0a1b2-0c3d4e5f-11223344`. `redacted` are values of
    /// the request that must not be repeated.
    pub(in crate::wechat) fn new<'a>(
        errcode: i64,
        errmsg: &str,
        redacted: impl Iterator<Item = &'a str>,
    ) -> Self {
        let errmsg = redact(errmsg, redacted);
        let (text, tail) = split_tail(&errmsg);
        let words = text.split_whitespace().chain(after_hint(tail));
        let words: Vec<&str> = words.map(redact_word).collect();
        let errmsg = words.join(" ").chars().take(MAX_ERRMSG_CHARS).collect();
        Self { errcode, errmsg, rid: rid_in(tail) }
    }

    /// The key of the message value that the errmsg mentions, as the errmsg of 47003 does.
    pub(in crate::wechat) fn field(&self) -> Option<&str> {
        fields(&self.errmsg).map(|(_, key)| key).next()
    }

    /// The IP address from which WeChat received the call, if the errmsg contains it, as that of 40164 does.
    pub fn seen_address(&self) -> Option<IpAddr> {
        let is_separator = |c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '(' | ')');
        let words = || self.errmsg.split(is_separator);
        let v4 = words().find_map(|word| word.parse::<Ipv4Addr>().ok());
        v4.map(IpAddr::V4)
            .or_else(|| words().find_map(|word| word.parse::<IpAddr>().ok()))
            .map(|address| address.to_canonical())
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.errcode, self.errmsg)?;
        match &self.rid {
            Some(rid) => write!(f, " (rid {rid})"),
            None => Ok(()),
        }
    }
}

/// Splits off the part that differs from call to call: ` rid: …`, ` hint: […]`, ` hints: [ … ]`.
fn split_tail(errmsg: &str) -> (&str, &str) {
    let starts = ["rid:", "hint:", "hints:"]
        .into_iter()
        .flat_map(|mark| errmsg.match_indices(mark).map(|(at, _)| at))
        .filter(|&at| !errmsg[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
    let at = starts.min().unwrap_or(errmsg.len());
    let text = errmsg[..at].trim_end_matches(|c: char| c.is_whitespace() || c == ',');
    (text, &errmsg[at..])
}

/// The words after an older kind of tail, where WeChat used to put the invalid field:
/// `argument invalid! hint: [x] data.thing1.value is emtpy`.
fn after_hint(tail: &str) -> impl Iterator<Item = &str> {
    let after = tail.strip_prefix("hint").and_then(|tail| tail.split_once(']'));
    after.map(|(_, after)| split_tail(after).0).into_iter().flat_map(str::split_whitespace)
}

fn rid_in(tail: &str) -> Option<String> {
    let (_, after) = tail.split_once("rid:")?;
    let after = after.trim_start();
    let end = after.find(|c: char| !c.is_ascii_hexdigit() && c != '-').unwrap_or(after.len());
    (1..=64).contains(&end).then(|| after[..end].to_owned())
}

fn redact_word(word: &str) -> &str {
    if word.contains("://") {
        return "[link]";
    }
    let is_separator = |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-';
    let has_digit = |part: &str| part.contains(|c: char| c.is_ascii_digit());
    let is_identifier = |part: &str| part.len() >= MIN_IDENTIFIER_BYTES && has_digit(part);
    if word.split(is_separator).any(is_identifier) { REDACTED } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(errmsg: &str) -> Upstream {
        Upstream::new(1, errmsg, std::iter::empty())
    }

    #[test]
    fn the_errmsg_suffix_is_removed_and_its_rid_kept() {
        let seen = upstream("invalid openid rid: 64f0a1b2-0c3d4e5f-11223344");
        assert_eq!(seen.errmsg, "invalid openid");
        assert_eq!(seen.rid.as_deref(), Some("64f0a1b2-0c3d4e5f-11223344"));
    }

    #[test]
    fn older_errmsg_suffixes_are_removed() {
        assert_eq!(
            upstream("invalid weapp pagepath hint: [aB_CD0123efgh4]").errmsg,
            "invalid weapp pagepath"
        );
        assert_eq!(upstream("system error hints: [ req_id: 8Aa1 ]").errmsg, "system error");
        assert_eq!(upstream("bad grid: 3").errmsg, "bad grid: 3");
        assert_eq!(upstream("").errmsg, "");
    }

    #[test]
    fn the_invalid_field_is_found_before_and_after_the_suffix() {
        for errmsg in [
            "argument invalid! data.thing1.value is empty rid: 5f325159-44411d21-1eb8b6c3",
            "argument invalid! hint: [IWJsFA00994126] data.thing1.value is empty",
            "argument invalid! hint: [x] data.thing1.value is empty hint: [y] more",
        ] {
            let seen = upstream(errmsg);
            assert_eq!(seen.errmsg, "argument invalid! data.thing1.value is empty");
            assert_eq!(seen.field(), Some("thing1"));
        }
        assert_eq!(upstream("argument invalid!").field(), None);
    }

    #[test]
    fn the_address_to_allow_is_reported_as_ipv4() {
        for errmsg in [
            "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 1-2-3",
            "invalid ip ::ffff:203.0.113.9, not in whitelist",
        ] {
            let seen = upstream(errmsg).seen_address().map(|address| address.to_string());
            assert_eq!(seen.as_deref(), Some("203.0.113.9"), "{errmsg}");
        }
        assert_eq!(upstream("invalid ip, not in whitelist").seen_address(), None);
    }

    #[test]
    fn links_identifiers_and_secrets_are_redacted() {
        let seen = upstream("invalid oTESTopenid0000000000000001, see https://example.com/x?a=b");
        assert_eq!(seen.errmsg, "invalid […] see [link]");
        let redacted = ["s3cret"];
        let seen = Upstream::new(1, "secret 's3cret' is wrong", redacted.into_iter());
        assert_eq!(seen.errmsg, "secret '[…]' is wrong");
        let redacted = ["0123abcd"];
        let seen = Upstream::new(1, "wrong rid: 0123abcd", redacted.into_iter());
        assert_eq!(seen.rid, None);
    }
}
