//! Identifiers as types, so that an openid cannot be used in place of a unionid.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The text is not a valid identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}; expected 1 to 64 of the characters A-Z a-z 0-9 _ -")]
pub struct InvalidId {
    what: &'static str,
    text: String,
}

/// The longest accepted identifier. WeChat promises no length and uses 18 to 29 characters.
const MAX_LENGTH: usize = 64;

/// How many characters of an invalid text the error quotes.
const QUOTED_LENGTH: usize = 40;

fn check(text: &str, what: &'static str) -> Result<Box<str>, InvalidId> {
    let trimmed = text.trim();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !trimmed.is_empty() && trimmed.len() <= MAX_LENGTH && trimmed.bytes().all(allowed) {
        Ok(trimmed.into())
    } else {
        let text = trimmed.chars().take(QUOTED_LENGTH).collect();
        Err(InvalidId { what, text })
    }
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The identifier as WeChat writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                check(text, $what).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

identifier!(
    /// The AppID of an Official Account or a Mini Program, usually `wx` and 16 hex digits.
    AppId,
    "an AppID"
);
identifier!(
    /// One user in one account. Case-sensitive; stable while the account exists.
    OpenId,
    "an openid"
);
identifier!(
    /// One user across all accounts that are bound to the same Open Platform account. Opaque.
    UnionId,
    "a unionid"
);
identifier!(
    /// A message template of one account, usually 43 characters.
    TemplateId,
    "a template id"
);
identifier!(
    /// A message of this service: 32 hex digits that sort by the time it was accepted.
    MessageId,
    "a message id"
);

impl MessageId {
    /// The id of a message accepted at that time, in ms since 1970: a UUID version 7.
    pub fn new(accepted_at: u64, random: [u8; 10]) -> Self {
        let id = uuid::Builder::from_unix_timestamp_millis(accepted_at, &random).into_uuid();
        Self(id.simple().to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_around_an_identifier_are_dropped() {
        // WeChat's own sample of user/info shows a unionid with a leading blank.
        let id: UnionId = " o6_bmasdasdsad6_2sgVt7hMZOPfL".parse().unwrap();
        assert_eq!(id.as_str(), "o6_bmasdasdsad6_2sgVt7hMZOPfL");
    }

    #[test]
    fn an_openid_that_would_break_a_batch_is_rejected() {
        for text in ["", "  ", "[oA", "o\r1", "o A", "o'--", &"o".repeat(65)] {
            assert!(text.parse::<OpenId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn openids_are_case_sensitive() {
        assert_ne!("oAbc".parse::<OpenId>(), "oabc".parse::<OpenId>());
    }
}
