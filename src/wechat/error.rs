//! Why a call gave no answer.

use super::{Class, Fault, TokenError, Upstream, hint};

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
        fault: Fault,
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
            Self::Transport { fault: Fault::Certificate(_), .. } => Class::Config,
            Self::Transport { fault: Fault::TooLong, .. } => Class::Undecodable,
            Self::Transport { .. } => Class::Transient,
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
            Self::Refused { .. } | Self::TokenRefused { .. } | Self::Token(_) => false,
            Self::Status { status, .. } => *status >= 500,
            Self::Transport { fault, .. } => fault.may_follow_sending(),
            Self::Undecodable { .. } => true,
        }
    }

    /// The key of the message's value that WeChat does not take: `thing2`.
    pub fn refused_field(&self) -> Option<&str> {
        match self {
            Self::Refused { upstream, .. } if upstream.errcode == 47003 => upstream.field(),
            _ => None,
        }
    }

    /// Whether WeChat did not answer in time.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Transport { fault, .. } => {
                matches!(fault, Fault::Timeout | Fault::ConnectTimeout)
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
