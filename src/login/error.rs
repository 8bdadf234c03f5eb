//! Why a login was not exchanged, by what the caller can do.

use std::sync::Arc;
use std::time::Duration;

use crate::model::AppId;
use crate::wechat::login::{LoginRefusal, SealedDataError};
use crate::wechat::{self, Class};
use crate::{seal, store};

/// Why a login was not exchanged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The AppID is no configured Mini Program's.
    #[error("{appid} is none of the Mini Programs configured here")]
    UnknownMiniProgram {
        /// The account named.
        appid: AppId,
        /// Those there are.
        known: Vec<AppId>,
    },
    /// No Mini Program is named, and there is not exactly one.
    #[error("it has to be said which Mini Program is meant")]
    MiniProgramNeeded {
        /// Those there are.
        known: Vec<AppId>,
    },
    /// WeChat refused the code, or the person.
    #[error("{source}")]
    Refused {
        /// What it said.
        refusal: LoginRefusal,
        /// All of it.
        source: Arc<wechat::Error>,
    },
    /// Another caller has exchanged this code, or is about to.
    #[error("the login code was used already")]
    AnothersCode,
    /// WeChat refused too many of the caller's codes.
    #[error("WeChat refused too many login codes of this caller")]
    TooManyRefused {
        /// How long to wait.
        retry_after: Duration,
    },
    /// `encrypted_data` cannot be used.
    #[error("the encrypted data cannot be used: {0}")]
    SealedData(#[from] SealedDataError),
    /// `encrypted_data` is too old.
    #[error("the encrypted data is more than a day old")]
    SealedDataStale,
    /// WeChat has not answered in time. The code may have been used up.
    #[error("WeChat has not answered in time")]
    TimedOut,
    /// WeChat gave no session.
    #[error("WeChat did not exchange the login code")]
    Wechat {
        /// What kind of trouble it is.
        trouble: Trouble,
        /// Why.
        source: Arc<wechat::Error>,
    },
    /// The database did not take the login; the same request may go through later.
    #[error("the login could not be saved")]
    Store(#[from] store::Error),
    /// The session key could not be sealed.
    #[error("the session key could not be sealed")]
    Seal(#[from] seal::Error),
}

/// Why WeChat gave no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It is busy, its quota is spent, or it cannot be reached.
    Busy,
    /// It did not answer in time.
    Slow,
    /// The Mini Program is set up wrongly, here or at WeChat.
    Setup,
    /// Its answer cannot be understood.
    Unreadable,
}

impl Error {
    /// What WeChat's error means for a login.
    pub(super) fn of(source: Arc<wechat::Error>) -> Self {
        if let Some(refusal) = source.login_refusal() {
            return Self::Refused { refusal, source };
        }
        let trouble = match source.class() {
            _ if source.is_timeout() => Trouble::Slow,
            Class::Config => Trouble::Setup,
            Class::Transient | Class::Quota | Class::RateLimited => Trouble::Busy,
            _ => Trouble::Unreadable,
        };
        Self::Wechat { trouble, source }
    }

    /// What WeChat itself said, where it said anything.
    pub fn upstream(&self) -> Option<&wechat::Upstream> {
        match self {
            Self::Refused { source, .. } | Self::Wechat { source, .. } => source.upstream(),
            _ => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownMiniProgram { known, .. } => {
                Some(format!("configured: {}", listed(known)))
            }
            Self::MiniProgramNeeded { known } => {
                Some(format!("name one with `appid`: {}", listed(known)))
            }
            Self::Refused { refusal, .. } => Some(refusal.hint().to_owned()),
            Self::AnothersCode => Some(LoginRefusal::UsedCode.hint().to_owned()),
            Self::TooManyRefused { .. } => {
                Some("exchange only codes that wx.login has just given".to_owned())
            }
            Self::SealedData(error) => Some(error.hint().to_owned()),
            Self::SealedDataStale => {
                Some("call wx.login, then wx.getUserInfo, and send what both gave".to_owned())
            }
            Self::TimedOut => Some(
                "ask again with the same code within a minute; after that, have the client call \
                 wx.login again"
                    .to_owned(),
            ),
            Self::Wechat { source, .. } => source.hint(),
            Self::Store(error) => Some(error.hint().to_owned()),
            Self::Seal(_) => None,
        }
    }
}

/// AppIDs in words.
fn listed(appids: &[AppId]) -> String {
    match appids {
        [] => "none".to_owned(),
        appids => appids.iter().map(AppId::as_str).collect::<Vec<_>>().join(", "),
    }
}
