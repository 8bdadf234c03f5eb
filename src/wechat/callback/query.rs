//! The query of a callback request, or of WeChat's check of the callback URL.

use std::collections::BTreeSet;
use std::str::FromStr;

use url::form_urlencoded;

use super::{Error, Forgery};

/// The query parameters that WeChat adds to the callback URL. Empty values count as absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// The signature over token, timestamp and nonce.
    pub signature: Option<String>,
    /// Seconds since 1970, as text.
    pub timestamp: Option<String>,
    /// A random text.
    pub nonce: Option<String>,
    /// The text that WeChat's check of the callback URL expects as the answer.
    pub echostr: Option<String>,
    /// `aes` if the body is encrypted.
    pub encrypt_type: Option<String>,
    /// The signature over token, timestamp, nonce and the encrypted body.
    pub msg_signature: Option<String>,
}

/// The maximum length of a query in bytes. WeChat's queries have about 250.
const MAX_BYTES: usize = 4 * 1024;

impl Query {
    fn field(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "signature" => Some(&mut self.signature),
            "timestamp" => Some(&mut self.timestamp),
            "nonce" => Some(&mut self.nonce),
            "echostr" => Some(&mut self.echostr),
            "encrypt_type" => Some(&mut self.encrypt_type),
            "msg_signature" => Some(&mut self.msg_signature),
            _ => None,
        }
    }

    /// Whether the request claims to be encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        match self.encrypt_type.as_deref() {
            Some(kind) => kind.eq_ignore_ascii_case("aes"),
            None => self.msg_signature.is_some(),
        }
    }
}

impl FromStr for Query {
    type Err = Error;

    /// Parses the part after the `?`. Refuses duplicate parameters, as parsers differ in which value they
    /// use.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_BYTES {
            return Err(Forgery::Query.into());
        }
        let (mut query, mut seen) = (Self::default(), BTreeSet::new());
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            // Some parsers treat `signature[]` and `signature[0]` as arrays, others as different names.
            let base = name.split('[').next().unwrap_or_default();
            let Some(field) = query.field(base) else {
                continue;
            };
            if base.len() < name.len() || !seen.insert(base.to_owned()) {
                return Err(Forgery::Query.into());
            }
            *field = Some(value.into_owned()).filter(|value| !value.is_empty());
        }
        Ok(query)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn query_parameters_are_percent_decoded() {
        let query: Query =
            "signature=ab&timestamp=1&nonce=%32&openid=o&echostr=a%2Bb&msg_signature="
                .parse()
                .unwrap();
        assert_eq!(query.signature.as_deref(), Some("ab"));
        assert_eq!(query.nonce.as_deref(), Some("2"));
        assert_eq!(query.echostr.as_deref(), Some("a+b"));
        assert_eq!((query.msg_signature, query.encrypt_type), (None, None));
    }

    #[test]
    fn a_duplicate_or_array_parameter_is_rejected() {
        let long = format!("nonce={}", "1".repeat(MAX_BYTES));
        for text in [
            "signature=a&signature=a",
            "signature=&signature=a",
            "timestamp=1&nonce=1&timestamp=2",
            "signature[]=a",
            "signature%5B%5D=a",
            "msg_signature[0]=a",
            "nonce=1&nonce%5b=2",
            &long,
        ] {
            let outcome = text.parse::<Query>();
            assert_eq!(outcome, Err(Error::Forged(Forgery::Query)), "{text}");
        }
        assert!("other=1&other=2&x[]=1".parse::<Query>().is_ok());
    }

    proptest! {
        #[test]
        fn parsing_any_text_does_not_panic(text: String) {
            let _ = text.parse::<Query>();
        }
    }
}
