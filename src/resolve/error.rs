//! Why a look-up gave no answer. Not finding somebody is an answer.

use std::sync::Arc;

use crate::model::AppId;
use crate::store;

/// Why a look-up gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The openid is said to be of an account that is not configured.
    #[error("{appid} is none of the accounts configured here")]
    UnknownAccount {
        /// The account named.
        appid: AppId,
        /// Those there are.
        known: Vec<AppId>,
    },
    /// The account asked about is no configured Official Account.
    #[error("{appid} is none of the Official Accounts configured here")]
    UnknownOfficialAccount {
        /// The account named.
        appid: AppId,
        /// Those there are.
        known: Vec<AppId>,
    },
    /// No Official Account is named, and there is not exactly one.
    #[error("it has to be said which Official Account is meant")]
    TargetNeeded {
        /// Those there are.
        known: Vec<AppId>,
    },
    /// The database did not do it.
    #[error("the look-up did not get through")]
    Store(#[source] Arc<store::Error>),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownAccount { known, .. } | Self::UnknownOfficialAccount { known, .. } => {
                format!("configured: {}", listed(known))
            }
            Self::TargetNeeded { known } => format!("name one with `to`: {}", listed(known)),
            Self::Store(error) => error.hint().to_owned(),
        }
    }
}

/// AppIDs in words, for a hint.
pub(crate) fn listed(appids: &[AppId]) -> String {
    match appids {
        [] => "none".to_owned(),
        appids => appids.iter().map(AppId::as_str).collect::<Vec<_>>().join(", "),
    }
}
