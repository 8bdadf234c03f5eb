//! Why a login failed, grouped by what the Mini Program's backend can do.

use std::sync::Arc;
use std::time::Duration;

use crate::model::UnclearAccount;
use crate::wechat::login::{InvalidLoginCode, LoginRefusal, SealedDataError};
use crate::wechat::{self, FailureKind, Upstream};
use crate::{seal, store};

/// Why a login failed. Contains no code and nothing about the user.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The text is not a login code; WeChat was not called.
    #[error("{0}")]
    NoCode(#[from] InvalidLoginCode),
    /// WeChat rejected the code.
    #[error("WeChat rejected the login code")]
    CodeInvalid {
        /// What WeChat returned.
        upstream: Option<Upstream>,
    },
    /// The code was used before, here or elsewhere.
    #[error("the login code was used before")]
    CodeUsed {
        /// What WeChat returned, if it was called.
        upstream: Option<Upstream>,
    },
    /// WeChat blocks the user.
    #[error("WeChat blocks this user")]
    UserBlocked {
        /// What WeChat returned.
        upstream: Option<Upstream>,
    },
    /// The user logged in too often.
    #[error("this user logged in too often")]
    RateLimited {
        /// What WeChat returned.
        upstream: Option<Upstream>,
    },
    /// It is unclear which Mini Program is meant.
    #[error("{0}")]
    Account(#[from] UnclearAccount),
    /// One of `encrypted_data` and `iv` is missing.
    #[error("encrypted_data and iv must be sent together")]
    SealedDataIncomplete,
    /// The encrypted data cannot be decrypted or belongs to another login.
    #[error("{0}")]
    SealedData(#[from] SealedDataError),
    /// The encrypted data is too old.
    #[error("encrypted_data is too old")]
    SealedDataOld,
    /// WeChat refused too many codes of this caller.
    #[error("WeChat refused too many login codes of this caller")]
    TooManyRefused {
        /// When to try again.
        retry_after: Duration,
    },
    /// Too many exchanges are in flight in this process.
    #[error("too many logins are waiting for WeChat")]
    TooManyAtOnce,
    /// The timeout passed; the exchange continues in the background.
    #[error("WeChat has not answered in time")]
    TimedOut,
    /// WeChat did not exchange the code, for a reason that does not concern the user.
    #[error("WeChat could not exchange the login code")]
    Wechat(#[source] Arc<wechat::Error>),
    /// The session key could not be encrypted.
    #[error("the session key could not be encrypted")]
    Seal(#[from] seal::Error),
    /// The database failed or did not answer in time. WeChat's answer is cached for the next
    /// attempt.
    #[error("the login could not be stored")]
    Store(#[source] Arc<store::Error>),
}

impl Error {
    /// What WeChat returned, if anything.
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
            Self::SealedDataIncomplete => "send both encryptedData and iv from wx.getUserInfo",
            Self::SealedData(refused) => refused.hint(),
            Self::SealedDataOld => {
                "call wx.login and wx.getUserInfo again, and send both results at once"
            }
            Self::TooManyRefused { .. } => {
                "find out why the caller sends codes that WeChat rejects; the limit is \
                 login.refused_codes_per_minute"
            }
            Self::TooManyAtOnce => "retry in a moment with the same code",
            Self::TimedOut => "retry with the same code: its answer is kept for a minute",
            Self::Wechat(source) if needs_operator(source) => return source.hint(),
            Self::Wechat(source) if source.leaves_login_code_unused() => {
                "retry in a moment with the same code"
            }
            Self::Wechat(_) => "call wx.login again: WeChat may have used up the code",
            Self::Store(_) => "retry with the same code: WeChat's answer is kept for a minute",
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
fn needs_operator(error: &wechat::Error) -> bool {
    matches!(error.failure_kind(), FailureKind::Misconfigured | FailureKind::Refused)
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(Arc::new(error))
    }
}
