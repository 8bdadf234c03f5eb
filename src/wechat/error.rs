//! Why a call gave no answer.

use super::{Class, TokenError, TransportError, Upstream, hint};

/// Why a call gave no answer, after whatever repetitions its class allows.
///
/// Holds no URL, token, secret or openid, in `Display`, in `Debug`, and in its sources.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// WeChat answered with an errcode.
    #[error("WeChat refused {call}: {upstream}")]
    Refused {
        /// The call, as the path below `/cgi-bin/`.
        call: &'static str,
        /// What can be done about it.
        class: Class,
        /// What WeChat said.
        upstream: Upstream,
    },
    /// WeChat refused the token of the call, and its replacement too.
    #[error("WeChat refused {call} with a new access token too: {upstream}")]
    TokenRefused {
        /// The call, as the path below `/cgi-bin/`.
        call: &'static str,
        /// What WeChat said the second time.
        upstream: Upstream,
    },
    /// There is no token to call with.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Its maker did not let it leave, or it had to wait for too long: a token was missing, or a place among
    /// the calls in flight.
    #[error("{call} was not made in time")]
    NotMade {
        /// The call, as the path below `/cgi-bin/`.
        call: &'static str,
    },
    /// The server, or something on the way to it, answered with an HTTP error.
    #[error("{call} was answered with HTTP status {status}")]
    Status {
        /// The call, as the path below `/cgi-bin/`.
        call: &'static str,
        /// The HTTP status, anything but 2xx.
        status: u16,
    },
    /// No answer came, or only part of one.
    #[error("{call} did not get through: {fault}")]
    Transport {
        /// The call, as the path below `/cgi-bin/`.
        call: &'static str,
        /// Why.
        fault: TransportError,
        /// The client's own error, without its URL.
        source: Option<reqwest::Error>,
    },
    /// The answer is not what WeChat documents.
    #[error("the answer to {call} cannot be read: {problem}")]
    Undecodable {
        /// The call, as the path below `/cgi-bin/`.
        call: &'static str,
        /// What is wrong with it, and where; never what it says.
        problem: String,
    },
}

impl Error {
    /// What the caller can do.
    pub fn class(&self) -> Class {
        match self {
            Self::Refused { class, .. } => *class,
            Self::TokenRefused { .. } => Class::Token,
            Self::Token(error) => error.class(),
            Self::Status { status, .. } => class_of_status(*status),
            Self::Transport { fault: TransportError::Certificate(_), .. } => Class::Config,
            Self::Transport { fault: TransportError::TooLong, .. } => Class::Undecodable,
            Self::Transport { .. } | Self::NotMade { .. } => Class::Transient,
            Self::Undecodable { .. } => Class::Undecodable,
        }
    }

    /// What WeChat itself said, where it said anything.
    pub fn upstream(&self) -> Option<&Upstream> {
        match self {
            Self::Refused { upstream, .. } | Self::TokenRefused { upstream, .. } => Some(upstream),
            Self::Token(TokenError::Wechat(error)) => error.upstream(),
            _ => None,
        }
    }

    /// An operator's next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        hint::of(self)
    }

    /// Whether WeChat may have done what it was asked for, although there is no answer that says so.
    ///
    /// Not after an answer that says no, not where nothing was sent for want of a token, and not where no
    /// connection was made. After an error of class [`Duplicate`](Class::Duplicate), which is such an
    /// answer, an earlier attempt was taken.
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::TokenRefused { .. }
            | Self::Token(_)
            | Self::NotMade { .. } => false,
            Self::Status { status, .. } => *status >= 500,
            Self::Transport { fault, .. } => fault.may_follow_sending(),
            Self::Undecodable { .. } => true,
        }
    }

    /// Whether it is an answer to the call itself, rather than to the question for its token or to nothing
    /// that was sent.
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
    fn what_wechat_cannot_have_taken_is_told_from_what_it_may_have_taken() {
        let words = String::new;
        let token_refused = Upstream::new(40001, "no", std::iter::empty());
        let no_token = || TokenError::Wechat(Box::new(transport(TransportError::Timeout)));
        for (error, may_have_arrived) in [
            (refused(-1), false),
            (refused(40241), false),
            (refused(999_999), false),
            (Error::TokenRefused { call: CALL, upstream: token_refused }, false),
            (Error::Token(no_token()), false),
            (Error::NotMade { call: CALL }, false),
            (Error::Status { call: CALL, status: 302 }, false),
            (Error::Status { call: CALL, status: 404 }, false),
            (Error::Status { call: CALL, status: 429 }, false),
            (Error::Status { call: CALL, status: 500 }, true),
            (Error::Status { call: CALL, status: 504 }, true),
            (transport(TransportError::NameNotResolved), false),
            (transport(TransportError::ConnectionRefused), false),
            (transport(TransportError::NotConnected), false),
            (transport(TransportError::ConnectTimeout), false),
            (transport(TransportError::Certificate(words())), false),
            (transport(TransportError::Tls(words())), false),
            (transport(TransportError::BrokenTls(words())), true),
            (transport(TransportError::Timeout), true),
            (transport(TransportError::Broken), true),
            (transport(TransportError::TooLong), true),
            (Error::Undecodable { call: CALL, problem: words() }, true),
        ] {
            assert_eq!(error.may_have_arrived(), may_have_arrived, "{error:?}");
        }
    }
}
