//! Quirks of single people, such as the profiles that break real crawls.

use std::fmt;
use std::str::FromStr;

use super::receipt::Receipt;

/// Bytes in the `remark` of a profile that make the response body hard to parse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dirt {
    /// Raw control characters, unescaped.
    ControlCharacters,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// An unescaped quotation mark.
    BareQuote,
    /// A backslash that does not start a valid escape sequence.
    StrayBackslash,
}

impl Dirt {
    /// Returns the bytes of the `remark`, as written between the quotation marks.
    pub(crate) fn bytes(self) -> &'static [u8] {
        match self {
            Self::ControlCharacters => b"note\x07\x08\x14\n\x01end",
            Self::InvalidUtf8 => b"caf\xe9 \xff\xfe",
            Self::BareQuote => b"says \"hello\" often",
            Self::StrayBackslash => b"C:\\quay \\x",
        }
    }
}

/// A deviation from the normal for one person in one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quirk {
    /// No profile of this person contains a unionid.
    NoUnionid,
    /// `user/info/batchget` omits the unionid; `user/info` contains it.
    NoUnionidInBatch,
    /// `jscode2session` omits the unionid; `encryptedData` contains it.
    NoUnionidAtLogin,
    /// Every call returns the unionid of another person.
    UnionidOf(u64),
    /// `user/info/batchget` returns another person's unionid; `user/info` returns the right one.
    UnionidInBatchOf(u64),
    /// Profile requests and messages for this openid are refused with 40003. One such openid fails its
    /// whole batch.
    Poison,
    /// The profile's `remark` makes the body hard to parse.
    Remark(Dirt),
    /// Numbers in the profile are written as strings.
    NumericStrings,
    /// `user/get` lists the openid, but the profile reports that the person does not follow.
    ListedButGone,
    /// The person refuses messages: they fail with 43101.
    RefusesTemplates,
    /// The person is on the account's blacklist: messages fail with 43019.
    Blacklisted,
    /// WeChat rates the person as high risk: logins fail with 40226.
    HighRisk,
    /// Messages to this person are refused with this errcode, such as 43117 or 43108.
    SendErrcode(i64),
    /// The receipt of messages to this person, unless a fault overrides it.
    Receipt(Receipt),
}

/// The text is not the name of a quirk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown quirk {0:?}; known quirks: no-unionid, no-unionid-in-batch, no-unionid-at-login, \
     unionid-of=PERSON, unionid-in-batch-of=PERSON, poison, remark=control-characters|\
     invalid-utf8|bare-quote|stray-backslash, numeric-strings, listed-but-gone, refuses-templates, \
     blacklisted, high-risk, send-errcode=N, receipt=RECEIPT"
)]
pub struct UnknownQuirk(String);

const PLAIN: &[(&str, Quirk)] = &[
    ("no-unionid", Quirk::NoUnionid),
    ("no-unionid-in-batch", Quirk::NoUnionidInBatch),
    ("no-unionid-at-login", Quirk::NoUnionidAtLogin),
    ("poison", Quirk::Poison),
    ("remark=control-characters", Quirk::Remark(Dirt::ControlCharacters)),
    ("remark=invalid-utf8", Quirk::Remark(Dirt::InvalidUtf8)),
    ("remark=bare-quote", Quirk::Remark(Dirt::BareQuote)),
    ("remark=stray-backslash", Quirk::Remark(Dirt::StrayBackslash)),
    ("numeric-strings", Quirk::NumericStrings),
    ("listed-but-gone", Quirk::ListedButGone),
    ("refuses-templates", Quirk::RefusesTemplates),
    ("blacklisted", Quirk::Blacklisted),
    ("high-risk", Quirk::HighRisk),
];

impl FromStr for Quirk {
    type Err = UnknownQuirk;

    fn from_str(text: &str) -> Result<Self, UnknownQuirk> {
        let plain = PLAIN.iter().find(|(name, _)| *name == text).map(|(_, quirk)| *quirk);
        let person =
            |prefix| text.strip_prefix(prefix).and_then(|number: &str| number.parse().ok());
        plain
            .or_else(|| person("unionid-of=").map(Self::UnionidOf))
            .or_else(|| person("unionid-in-batch-of=").map(Self::UnionidInBatchOf))
            .or_else(|| text.strip_prefix("send-errcode=")?.parse().ok().map(Self::SendErrcode))
            .or_else(|| text.strip_prefix("receipt=")?.parse().ok().map(Self::Receipt))
            .ok_or_else(|| UnknownQuirk(text.to_owned()))
    }
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnionidOf(person) => write!(f, "unionid-of={person}"),
            Self::UnionidInBatchOf(person) => write!(f, "unionid-in-batch-of={person}"),
            Self::SendErrcode(errcode) => write!(f, "send-errcode={errcode}"),
            Self::Receipt(receipt) => write!(f, "receipt={receipt}"),
            plain => {
                let name = PLAIN.iter().find(|(_, quirk)| quirk == plain).map(|(name, _)| *name);
                f.pad(name.unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quirk_round_trips_as_text() {
        let with_values = [
            Quirk::UnionidOf(7),
            Quirk::UnionidInBatchOf(8),
            Quirk::SendErrcode(-1),
            Quirk::Receipt(Receipt::none()),
        ];
        for quirk in PLAIN.iter().map(|(_, quirk)| *quirk).chain(with_values) {
            assert_eq!(quirk.to_string().parse(), Ok(quirk));
        }
    }

    #[test]
    fn the_error_for_an_unknown_quirk_lists_the_known_ones() {
        let error = "posion".parse::<Quirk>().unwrap_err().to_string();
        assert!(error.contains("\"posion\"") && error.contains("poison,"), "{error}");
    }
}
