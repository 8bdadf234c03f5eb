//! What is odd about single people: the profiles that real crawls stumble over.

use std::fmt;
use std::str::FromStr;

use super::receipt::Receipt;

/// Bytes in an operator's note that make a profile hard to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dirt {
    /// Raw control characters, unescaped.
    ControlCharacters,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// A quotation mark that nothing escapes.
    BareQuote,
    /// A backslash before a letter that no escape knows.
    StrayBackslash,
}

impl Dirt {
    /// The note's bytes, as they stand between the quotation marks.
    pub(crate) fn bytes(self) -> &'static [u8] {
        match self {
            Self::ControlCharacters => b"note\x07\x08\x14\n\x01end",
            Self::InvalidUtf8 => b"caf\xe9 \xff\xfe",
            Self::BareQuote => b"says \"hello\" often",
            Self::StrayBackslash => b"C:\\quay \\x",
        }
    }
}

/// Something odd about one person in one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quirk {
    /// No profile of this person carries a unionid.
    NoUnionid,
    /// `user/info/batchget` leaves the unionid out, `user/info` gives it.
    NoUnionidInBatch,
    /// `jscode2session` leaves the unionid out, `encryptedData` has it.
    NoUnionidAtLogin,
    /// The unionid is that of another person, everywhere.
    UnionidOf(u64),
    /// `user/info/batchget` gives another person's unionid, `user/info` the right one.
    UnionidInBatchOf(u64),
    /// A profile or a message for this openid is refused with 40003, a whole batch because of it.
    Poison,
    /// The operator's note makes the body hard to read.
    Remark(Dirt),
    /// Numbers come as texts.
    NumericStrings,
    /// The openid is listed, and its profile says that the person does not follow.
    ListedButGone,
    /// The person switched template messages off: 43101.
    RefusesTemplates,
    /// The operator put the person on the blacklist: 43019.
    Blacklisted,
    /// The vendor calls the person a high risk: 40226 at login.
    HighRisk,
    /// A message to this person is refused with that errcode, such as 43117 or 43108.
    SendErrcode(i64),
    /// What becomes of the messages to this person, where no fault has it otherwise.
    Receipt(Receipt),
}

/// A text that names no quirk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no quirk is named {0:?}; there are no-unionid, no-unionid-in-batch, no-unionid-at-login, \
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
    fn a_quirk_reads_back_as_it_is_written() {
        let odd = [
            Quirk::UnionidOf(7),
            Quirk::UnionidInBatchOf(8),
            Quirk::SendErrcode(-1),
            Quirk::Receipt(Receipt::none()),
        ];
        for quirk in PLAIN.iter().map(|(_, quirk)| *quirk).chain(odd) {
            assert_eq!(quirk.to_string().parse(), Ok(quirk));
        }
    }

    #[test]
    fn an_unknown_quirk_is_answered_with_the_known_ones() {
        let error = "posion".parse::<Quirk>().unwrap_err().to_string();
        assert!(error.contains("\"posion\"") && error.contains("poison,"), "{error}");
    }
}
