//! Why a request got no complete answer, as a readable text.

use std::error::Error as StdError;
use std::io;

use rustls::{CertificateError, OtherError};

/// Why no answer arrived, or only part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The host name in `base_url` does not resolve.
    #[error("the server's name could not be resolved")]
    NameNotResolved,
    /// Nothing listens at the address.
    #[error("the connection was refused")]
    ConnectionRefused,
    /// Connecting failed for another reason.
    #[error("no connection could be made")]
    NotConnected,
    /// The server did not accept the connection before the timeout.
    #[error("the connection timed out")]
    ConnectTimeout,
    /// The server's certificate is not trusted. Holds the reason, phrased to follow "the certificate".
    #[error("the server's certificate {0}")]
    Certificate(String),
    /// The TLS handshake failed for another reason.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// TLS failed after the handshake, when the request may already have been sent.
    #[error("TLS failed after the handshake: {0}")]
    BrokenTls(String),
    /// The answer was not complete before the timeout.
    #[error("the answer did not arrive in time")]
    Timeout,
    /// The connection ended before the answer did.
    #[error("the connection broke before the answer was complete")]
    Broken,
    /// The answer is longer than any answer of WeChat.
    #[error("the answer is too long")]
    TooLong,
}

impl TransportError {
    pub(in crate::wechat) fn of(error: &reqwest::Error) -> Self {
        if let Some(problem) = causes(error).find_map(tls_problem) {
            return Self::of_tls(problem, error.is_connect());
        }
        let refused = |cause| io_kind(cause) == Some(io::ErrorKind::ConnectionRefused);
        match (error.is_connect(), error.is_timeout()) {
            (true, true) => Self::ConnectTimeout,
            (true, false) if error.is_dns() => Self::NameNotResolved,
            (true, false) if causes(error).any(refused) => Self::ConnectionRefused,
            (true, false) => Self::NotConnected,
            (false, true) => Self::Timeout,
            (false, false) => Self::Broken,
        }
    }

    fn of_tls(problem: &rustls::Error, is_handshake: bool) -> Self {
        match problem {
            rustls::Error::InvalidCertificate(problem) => Self::Certificate(describe(problem)),
            other if is_handshake => Self::Tls(other.to_string()),
            other => Self::BrokenTls(other.to_string()),
        }
    }

    /// Whether the request may have reached the server. All other errors occur before it is sent.
    pub(in crate::wechat) fn may_follow_sending(&self) -> bool {
        matches!(self, Self::BrokenTls(_) | Self::Timeout | Self::Broken | Self::TooLong)
    }
}

fn causes<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let first: &'a (dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |&error| error.source())
}

fn io_kind(cause: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    cause.downcast_ref::<io::Error>().map(io::Error::kind)
}

fn tls_problem<'a>(cause: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    innermost(cause).downcast_ref()
}

/// Unwraps I/O errors, which may be nested. Their `source` skips the error that they wrap.
fn innermost<'a>(mut cause: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    while let Some(inner) = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        cause = inner;
    }
    cause
}

fn describe(problem: &CertificateError) -> String {
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet".into()
        }
        CertificateError::UnknownIssuer => "is self-signed or its issuer is unknown".into(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "is for another host".into()
        }
        CertificateError::BadSignature => "was not signed by the issuer it names".into(),
        CertificateError::Revoked => "has been revoked".into(),
        CertificateError::Other(OtherError(other)) if is_ca_as_end_entity(&**other) => {
            "is self-signed: it is a CA certificate".into()
        }
        other => format!("is not valid: {other}"),
    }
}

/// Whether a server presents a self-signed CA certificate as its own. webpki refuses it before checking the
/// issuer, and rustls passes that error on untyped.
fn is_ca_as_end_entity(other: &(dyn StdError + 'static)) -> bool {
    other.to_string() == "CaUsedAsEndEntity"
}
