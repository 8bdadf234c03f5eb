//! Why a call failed.

mod class;
mod failure_kind;
mod hint;
mod redact;
mod transport_error;
mod upstream;

use super::TokenError;

pub use class::Class;
pub use failure_kind::FailureKind;
pub use transport_error::TransportError;
pub use upstream::Upstream;

/// Why a call failed, after all retries that its class allows.
///
/// Contains no URL, token, secret or openid: not in `Display`, not in `Debug`, not in its sources.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// WeChat answered with an errcode.
    #[error("WeChat refused {call}: {upstream}")]
    Refused {
        /// The call, as the path below `/cgi-bin/`.
        call: &'static str,
        /// What the caller can do about it.
        class: Class,
        /// The error that WeChat returned.
        upstream: Upstream,
    },
    /// WeChat refused the access token, and its replacement too.
    #[error("WeChat refused {call} even with a new access token: {upstream}")]
    TokenRefused {
        /// The call, as the path below `/cgi-bin/`.
        call: &'static str,
        /// The error that WeChat returned the second time.
        upstream: Upstream,
    },
    /// No access token is available.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The request was not sent: its [`BeforeSend`](super::BeforeSend) hook declined, or no token or permit
    /// became available before the deadline.
    #[error("{call} was not sent: it was cancelled, or its deadline passed first")]
    NotSent {
        /// The call, as the path below `/cgi-bin/`.
        call: &'static str,
    },
    /// The server, or a proxy in between, answered with an HTTP error.
    #[error("{call} failed with HTTP status {status}")]
    Status {
        /// The call, as the path below `/cgi-bin/`.
        call: &'static str,
        /// The HTTP status, anything but 2xx.
        status: u16,
    },
    /// No answer arrived, or only part of one.
    #[error("{call} failed: {fault}")]
    Transport {
        /// The call, as the path below `/cgi-bin/`.
        call: &'static str,
        /// What went wrong.
        fault: TransportError,
        /// The HTTP client's error, without its URL.
        source: Option<reqwest::Error>,
    },
    /// The answer is not as WeChat documents it.
    #[error("cannot decode the answer to {call}: {problem}")]
    Undecodable {
        /// The call, as the path below `/cgi-bin/`.
        call: &'static str,
        /// What is wrong with the answer, and where. Never quotes it.
        problem: String,
    },
}

impl Error {
    /// What the caller can do about this error.
    pub fn class(&self) -> Class {
        match self {
            Self::Refused { class, .. } => *class,
            Self::TokenRefused { .. } => Class::Token,
            Self::Token(error) => error.class(),
            Self::Status { status, .. } => class_of_status(*status),
            Self::Transport { fault: TransportError::Certificate(_), .. } => Class::Config,
            Self::Transport { fault: TransportError::TooLong, .. } => Class::Undecodable,
            Self::Transport { .. } | Self::NotSent { .. } => Class::Transient,
            Self::Undecodable { .. } => Class::Undecodable,
        }
    }

    /// The error that WeChat returned, if it returned one.
    pub fn upstream(&self) -> Option<&Upstream> {
        match self {
            Self::Refused { upstream, .. } | Self::TokenRefused { upstream, .. } => Some(upstream),
            Self::Token(TokenError::Wechat(error)) => error.upstream(),
            _ => None,
        }
    }

    /// What an operator can do about this error, if anything.
    pub fn hint(&self) -> Option<String> {
        hint::of(self)
    }

    /// Whether WeChat may have executed the request although no answer confirms it.
    ///
    /// `false` if WeChat refused the request, if nothing was sent for lack of a token or a permit, and if no
    /// connection was made. An error of class [`Duplicate`](Class::Duplicate) is a refusal of this request,
    /// and means that WeChat accepted an earlier attempt.
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::TokenRefused { .. }
            | Self::Token(_)
            | Self::NotSent { .. } => false,
            Self::Status { status, .. } => *status >= 500,
            Self::Transport { fault, .. } => fault.may_follow_sending(),
            Self::Undecodable { .. } => true,
        }
    }

    /// Whether this error is an answer to the call itself: not a failure to get its token, and not a failure
    /// without an answer.
    pub fn is_about_the_call(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Status { .. })
    }

    /// Whether WeChat did not answer in time.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Transport { fault, .. } => {
                matches!(fault, TransportError::Timeout | TransportError::ConnectTimeout)
            }
            Self::Token(TokenError::Wechat(error)) => error.is_timeout(),
            _ => false,
        }
    }
}

fn class_of_status(status: u16) -> Class {
    match status {
        408 | 500.. => Class::Transient,
        429 => Class::RateLimited,
        300..=399 | 401 | 403 | 404 | 407 => Class::Config,
        _ => Class::Caller,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = "message/template/send";

    fn refused(errcode: i64) -> Error {
        let upstream = Upstream::new(errcode, "no", std::iter::empty());
        Error::Refused { call: CALL, class: Class::of(errcode), upstream }
    }

    fn transport(fault: TransportError) -> Error {
        Error::Transport { call: CALL, fault, source: None }
    }

    #[test]
    fn each_error_reports_whether_the_request_may_have_arrived() {
        let text = String::new;
        let token_refused = Upstream::new(40001, "no", std::iter::empty());
        let no_token = || TokenError::Wechat(Box::new(transport(TransportError::Timeout)));
        for (error, may_have_arrived) in [
            (refused(-1), false),
            (refused(40241), false),
            (refused(999_999), false),
            (Error::TokenRefused { call: CALL, upstream: token_refused }, false),
            (Error::Token(no_token()), false),
            (Error::NotSent { call: CALL }, false),
            (Error::Status { call: CALL, status: 302 }, false),
            (Error::Status { call: CALL, status: 404 }, false),
            (Error::Status { call: CALL, status: 429 }, false),
            (Error::Status { call: CALL, status: 500 }, true),
            (Error::Status { call: CALL, status: 504 }, true),
            (transport(TransportError::NameNotResolved), false),
            (transport(TransportError::ConnectionRefused), false),
            (transport(TransportError::NotConnected), false),
            (transport(TransportError::ConnectTimeout), false),
            (transport(TransportError::Certificate(text())), false),
            (transport(TransportError::Tls(text())), false),
            (transport(TransportError::BrokenTls(text())), true),
            (transport(TransportError::Timeout), true),
            (transport(TransportError::Broken), true),
            (transport(TransportError::TooLong), true),
            (Error::Undecodable { call: CALL, problem: text() }, true),
        ] {
            assert_eq!(error.may_have_arrived(), may_have_arrived, "{error:?}");
        }
    }
}
