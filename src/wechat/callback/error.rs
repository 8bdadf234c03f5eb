//! Why a callback request is refused.

/// Why a callback request, or WeChat's check of the callback URL, is refused. Contains none of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The request does not prove that WeChat sent it, and to this account.
    #[error("the request is not from WeChat, or not for this account: {0}")]
    Forged(#[from] Forgery),
    /// The body is longer than [`MAX_BODY_BYTES`](super::MAX_BODY_BYTES).
    #[error("the body is longer than 64 KiB")]
    TooLong,
    /// The body cannot be parsed.
    #[error("cannot parse the body: {0}")]
    Malformed(#[from] Malformed),
}

/// Why a request does not prove that it is from WeChat and for this account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forgery {
    /// The query has a duplicate parameter or an array parameter, or is longer than any query of WeChat.
    #[error("WeChat never sends such a query")]
    Query,
    /// The signature, or a parameter that it covers, is missing.
    #[error("its query has no signature, timestamp or nonce")]
    Unsigned,
    /// The signature was not made with the account's token.
    #[error("its signature was not made with the configured callback_token")]
    Signature,
    /// The request is not encrypted, although an EncodingAESKey is configured.
    #[error("it is not encrypted, although encoding_aes_key is configured")]
    Plain,
    /// The request is encrypted, but no EncodingAESKey is configured.
    #[error("it is encrypted, but no encoding_aes_key is configured")]
    Encrypted,
    /// The EncodingAESKey does not decrypt the request.
    #[error("the configured encoding_aes_key does not decrypt it")]
    Sealed,
    /// The request was encrypted for another AppID.
    #[error("it is for another AppID")]
    OtherAccount,
}

/// What is wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The body is not valid XML or JSON, or incomplete.
    #[error("it is not valid XML or JSON")]
    Syntax,
    /// The body is not valid UTF-8.
    #[error("it is not UTF-8")]
    Encoding,
    /// The XML has a document type, which WeChat never sends and which allows file access and entity bombs.
    #[error("it has a document type declaration")]
    DocumentType,
    /// The XML has a comment, a processing instruction, or a declaration that is not at the start.
    #[error("it has a comment or a processing instruction")]
    Markup,
    /// The XML has an entity other than the five predefined ones.
    #[error("it has an entity that XML does not define")]
    Entity,
    /// Elements, objects or arrays are nested more deeply than in any body of WeChat.
    #[error("it is nested too deeply")]
    Depth,
    /// The body has more values than any body of WeChat.
    #[error("it has too many fields")]
    Fields,
    /// The XML has more tags, references and CDATA sections than any body of WeChat.
    #[error("it has too many tags, references or CDATA sections")]
    Pieces,
    /// The body contains a field twice.
    #[error("it has a duplicate field")]
    Duplicate,
    /// A required field is missing.
    #[error("it has no field {0}")]
    Missing(&'static str),
    /// A field has an invalid value.
    #[error("its field {0} is not as documented")]
    Field(&'static str),
}

impl Error {
    /// Whether the request does not prove that WeChat sent it.
    pub fn is_forgery(&self) -> bool {
        matches!(self, Self::Forged(_))
    }

    /// What an operator can do if the sender is WeChat after all.
    pub fn hint(&self) -> Option<&'static str> {
        let Self::Forged(forgery) = self else {
            return None;
        };
        match forgery {
            Forgery::Query | Forgery::Unsigned => None,
            Forgery::Signature => Some(
                "compare callback_token with the Token in WeChat's console (Basic Configuration, \
                 Server Configuration)",
            ),
            Forgery::Plain => Some(
                "choose the safe mode for messages in WeChat's console, or remove encoding_aes_key \
                 from the configuration",
            ),
            Forgery::Encrypted => Some(
                "set encoding_aes_key to the EncodingAESKey in WeChat's console, or choose the plain \
                 mode there",
            ),
            Forgery::Sealed => {
                Some("compare encoding_aes_key with the EncodingAESKey in WeChat's console")
            }
            Forgery::OtherAccount => {
                Some("compare the AppID at the end of the callback URL with that of the account")
            }
        }
    }
}
