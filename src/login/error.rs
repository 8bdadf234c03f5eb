//! Why nobody was logged in, by what the Mini Program's backend can do.

use std::sync::Arc;
use std::time::Duration;

use crate::model::UnclearAccount;
use crate::wechat::login::{InvalidLoginCode, LoginRefusal, SealedDataError};
use crate::wechat::{self, FailureKind, Upstream};
use crate::{seal, store};

/// Why nobody was logged in. Holds no code, and nothing of who tried.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The text is no code at all; WeChat was not asked.
    #[error("{0}")]
    NoCode(#[from] InvalidLoginCode),
    /// WeChat does not take the code.
    #[error("WeChat does not take the login code")]
    CodeInvalid {
        /// What it said.
        upstream: Option<Upstream>,
    },
    /// The code was used, with us or elsewhere.
    #[error("the login code was used before")]
    CodeUsed {
        /// What WeChat said, where it was asked.
        upstream: Option<Upstream>,
    },
    /// WeChat blocks the person.
    #[error("WeChat blocks this user")]
    UserBlocked {
        /// What it said.
        upstream: Option<Upstream>,
    },
    /// The person logged in too often.
    #[error("this user logged in too often")]
    RateLimited {
        /// What WeChat said.
        upstream: Option<Upstream>,
    },
    /// It is not clear which Mini Program is meant.
    #[error("{0}")]
    Account(#[from] UnclearAccount),
    /// One of `encrypted_data` and `iv` is missing.
    #[error("encrypted_data and iv are sent both or neither")]
    SealedDataIncomplete,
    /// The encrypted data does not open, or is not of this login.
    #[error("{0}")]
    SealedData(#[from] SealedDataError),
    /// The encrypted data is not of now.
    #[error("encrypted_data was sealed too long ago")]
    SealedDataOld,
    /// WeChat refused too many codes of this caller.
    #[error("WeChat refused too many login codes of this caller")]
    TooManyRefused {
        /// When the next one may be tried.
        retry_after: Duration,
    },
    /// Too many exchanges are under way in this process.
    #[error("too many logins are waiting for WeChat")]
    TooManyAtOnce,
    /// Nobody answered in time; the exchange goes on.
    #[error("WeChat has not answered in time")]
    TimedOut,
    /// WeChat did not tell who it is, for a reason that is nobody's who logs in.
    #[error("WeChat did not exchange the login code")]
    Wechat(#[source] Arc<wechat::Error>),
    /// The session key could not be encrypted.
    #[error("the session key cannot be encrypted")]
    Seal(#[from] seal::Error),
    /// The database did not do it; WeChat's answer is kept for the next attempt.
    #[error("the login could not be stored")]
    Store(#[source] Arc<store::Error>),
}

impl Error {
    /// What WeChat said, where it said anything.
    pub fn upstream(&self) -> Option<&Upstream> {
        match self {
            Self::CodeInvalid { upstream }
            | Self::CodeUsed { upstream }
            | Self::UserBlocked { upstream }
            | Self::RateLimited { upstream } => upstream.as_ref(),
            Self::Wechat(source) => source.upstream(),
            _ => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoCode(invalid) => invalid.hint(),
            Self::CodeInvalid { .. } => LoginRefusal::InvalidCode.hint(),
            Self::CodeUsed { .. } => LoginRefusal::UsedCode.hint(),
            Self::UserBlocked { .. } => LoginRefusal::Blocked.hint(),
            Self::RateLimited { .. } => LoginRefusal::TooOften.hint(),
            Self::Account(unclear) => return Some(unclear.hint()),
            Self::SealedDataIncomplete => "send what wx.getUserInfo gave as encryptedData and iv",
            Self::SealedData(refused) => refused.hint(),
            Self::SealedDataOld => {
                "call wx.login and wx.getUserInfo anew, and send both results at once"
            }
            Self::TooManyRefused { .. } => {
                "find out who sends codes that WeChat does not know; login.refused_codes_per_minute is \
                 the limit"
            }
            Self::TooManyAtOnce => "try again in a moment with the same code",
            Self::TimedOut => "ask again with the same code: its answer is kept for a minute",
            Self::Wechat(source) if is_refusal(source) => return source.hint(),
            Self::Wechat(source) if source.leaves_login_code_unused() => {
                "try again in a moment with the same code"
            }
            Self::Wechat(_) => "call wx.login again: WeChat may have used the code up",
            Self::Store(_) => "try again with the same code: WeChat's answer is kept for a minute",
            Self::Seal(_) => return None,
        };
        Some(hint.to_owned())
    }
}

impl From<wechat::Error> for Error {
    fn from(error: wechat::Error) -> Self {
        let upstream = error.upstream().cloned();
        match error.login_refusal() {
            Some(LoginRefusal::InvalidCode) => Self::CodeInvalid { upstream },
            Some(LoginRefusal::UsedCode) => Self::CodeUsed { upstream },
            Some(LoginRefusal::Blocked) => Self::UserBlocked { upstream },
            Some(LoginRefusal::TooOften) => Self::RateLimited { upstream },
            None => Self::Wechat(Arc::new(error)),
        }
    }
}

/// Whether an operator has to act.
fn is_refusal(error: &wechat::Error) -> bool {
    matches!(error.failure_kind(), FailureKind::Misconfigured | FailureKind::Refused)
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(Arc::new(error))
    }
}
