//! Why no token is available, and what an operator can do about it.

use crate::model::AppId;
use crate::wechat::{Class, FailureKind, TokenError, Upstream};
use crate::{seal, store, wechat};

/// Why no token is available.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The account is not configured.
    #[error("{0} is not configured")]
    Unknown(AppId),
    /// WeChat did not grant a token.
    #[error("WeChat did not grant an access token for {appid}")]
    Wechat {
        /// The account.
        appid: AppId,
        /// Why the call failed.
        source: wechat::Error,
    },
    /// WeChat refused the token again although it was refreshed several times recently.
    #[error("WeChat keeps refusing new access tokens of {0}")]
    Contested(AppId),
    /// Another process has been refreshing the token for too long.
    #[error("another process is refreshing the access token of {0} and does not finish")]
    Stuck(AppId),
    /// A database operation failed.
    #[error("could not read or save the access token")]
    Store(#[from] store::Error),
    /// The token could not be encrypted.
    #[error("could not encrypt the access token")]
    Seal(#[from] seal::Error),
}

impl Error {
    /// Returns the kind of WeChat failure, or `None` if WeChat was not the cause.
    pub fn failure_kind(&self) -> Option<FailureKind> {
        match self {
            Self::Wechat { source, .. } => Some(source.failure_kind()),
            Self::Contested(_) => Some(FailureKind::QuotaUsedUp),
            Self::Stuck(_) => Some(FailureKind::Timeout),
            Self::Unknown(_) | Self::Store(_) | Self::Seal(_) => None,
        }
    }

    /// Returns WeChat's errcode and errmsg, if WeChat returned them.
    pub fn upstream(&self) -> Option<&Upstream> {
        match self {
            Self::Wechat { source, .. } => source.upstream(),
            _ => None,
        }
    }

    /// Whether an operator has to change the configuration, here or in WeChat's console.
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Unknown(_) => true,
            Self::Wechat { source, .. } => source.class() == Class::Config,
            _ => false,
        }
    }

    /// Returns the operator's next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Wechat { source, .. } => source.hint(),
            Self::Contested(_) => Some(
                "another system refreshes this AppID's token: have it take the token from here, or by \
                 stable_token in the normal mode"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

impl From<Error> for TokenError {
    fn from(error: Error) -> Self {
        match error {
            Error::Wechat { source, .. } => Self::Wechat(Box::new(source)),
            Error::Contested(appid) => Self::Contested(appid),
            other => Self::Unavailable(Box::new(other)),
        }
    }
}
