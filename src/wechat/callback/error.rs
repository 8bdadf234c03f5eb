//! Why a push is not taken.

/// Why a push, or the check of our address, is not taken. Repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It does not prove that WeChat sent it, and to this account.
    #[error("not from WeChat, or not for this account: {0}")]
    Forged(#[from] Forgery),
    /// Its body is longer than [`LONGEST_BODY`](super::LONGEST_BODY).
    #[error("the body is longer than 64 KiB")]
    TooLong,
    /// Its body cannot be read.
    #[error("the body cannot be read: {0}")]
    Malformed(#[from] Malformed),
}

/// What proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forgery {
    /// The query names a parameter twice, or as an array, or is longer than WeChat's ever are.
    #[error("its query is none that WeChat sends")]
    Query,
    /// A parameter is missing that makes up the signature.
    #[error("its query lacks a signature, or what one is made of")]
    Unsigned,
    /// The signature was not made with the account's token.
    #[error("its signature was not made with the configured callback_token")]
    Signature,
    /// An EncodingAESKey is configured, and the push is not encrypted.
    #[error("it is not encrypted, and encoding_aes_key is configured")]
    Plain,
    /// It is encrypted, and no EncodingAESKey is configured.
    #[error("it is encrypted, and no encoding_aes_key is configured")]
    Encrypted,
    /// The EncodingAESKey does not open it.
    #[error("the configured encoding_aes_key does not open it")]
    Sealed,
    /// It was encrypted for another AppID.
    #[error("it is for another AppID")]
    OtherAccount,
}

/// What is wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Neither XML nor JSON, or not to its end.
    #[error("it is neither XML nor JSON")]
    Syntax,
    /// Bytes that are no UTF-8.
    #[error("it is not UTF-8")]
    Encoding,
    /// A document type, which WeChat never sends and which can name files and bombs.
    #[error("it has a document type declaration")]
    DocumentType,
    /// A comment, a processing instruction, or a declaration anywhere but at the start.
    #[error("it has a comment or a processing instruction")]
    Markup,
    /// An entity beyond the five of XML.
    #[error("it has an entity that XML does not define")]
    Entity,
    /// Elements, objects or arrays within one another, deeper than WeChat nests them.
    #[error("it is nested too deeply")]
    Depth,
    /// More values than WeChat sends.
    #[error("it has too many fields")]
    Fields,
    /// More tags, references and CDATA sections than WeChat writes.
    #[error("it has too many tags, references or CDATA sections")]
    Pieces,
    /// The same field twice.
    #[error("it has a field twice")]
    Duplicate,
    /// A field that has to be there and is not.
    #[error("it has no field {0}")]
    Missing(&'static str),
    /// A field that makes no sense.
    #[error("its field {0} is not as documented")]
    Field(&'static str),
}

impl Error {
    /// Whether the sender did not prove to be WeChat.
    pub fn is_forgery(&self) -> bool {
        matches!(self, Self::Forged(_))
    }

    /// An operator's next step, should the sender be WeChat after all.
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
                "choose the safe mode for messages in WeChat's console, or leave encoding_aes_key \
                 out of the configuration",
            ),
            Forgery::Encrypted => Some(
                "set encoding_aes_key to the EncodingAESKey in WeChat's console, or choose the plain \
                 mode there",
            ),
            Forgery::Sealed => {
                Some("compare encoding_aes_key with the EncodingAESKey in WeChat's console")
            }
            Forgery::OtherAccount => {
                Some("compare the AppID at the end of the callback's URL with the account's")
            }
        }
    }
}
