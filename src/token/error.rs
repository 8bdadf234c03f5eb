//! Why there is no token, and what an operator can do about it.

use crate::model::AppId;
use crate::wechat::{Class, FailureKind, TokenError, Upstream};
use crate::{seal, store, wechat};

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The account is not configured.
    #[error("{0} is not configured")]
    Unknown(AppId),
    /// WeChat gave none.
    #[error("WeChat gave no access token for {appid}")]
    Wechat {
        /// The account.
        appid: AppId,
        /// Why.
        source: wechat::Error,
    },
    /// Refreshed more than once lately, and refused again.
    #[error("WeChat keeps refusing new access tokens of {0}")]
    Contested(AppId),
    /// Another process has been refreshing it for too long.
    #[error("another process is refreshing the access token of {0} and does not finish")]
    Stuck(AppId),
    /// The database did not do it.
    #[error("could not read or save the access token")]
    Store(#[from] store::Error),
    /// The token could not be encrypted.
    #[error("could not seal the access token")]
    Seal(#[from] seal::Error),
}

impl Error {
    /// What kept WeChat from giving a token; `None` where it was not WeChat.
    pub fn failure_kind(&self) -> Option<FailureKind> {
        match self {
            Self::Wechat { source, .. } => Some(source.failure_kind()),
            Self::Contested(_) => Some(FailureKind::Spent),
            Self::Stuck(_) => Some(FailureKind::TooSlow),
            Self::Unknown(_) | Self::Store(_) | Self::Seal(_) => None,
        }
    }

    /// What WeChat said, where it said anything.
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

    /// An operator's next step, where there is one.
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
