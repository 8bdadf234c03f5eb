//! Why a callback is not answered with `success`.

use std::sync::Arc;

use crate::model::AppId;
use crate::store;
use crate::wechat::callback;

/// Why a callback is not answered with `success`. WeChat sends it again, three times in all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No account of that AppID is configured for callbacks.
    #[error("{0} is not configured for callbacks")]
    UnknownAccount(AppId),
    /// It is not WeChat's, not for this account, or cannot be read.
    #[error(transparent)]
    Refused(#[from] callback::Error),
    /// The database did not take it.
    #[error("the callback could not be saved")]
    Store(#[from] Arc<store::Error>),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl Error {
    /// An operator's next step, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UnknownAccount(_) => Some(
                "give the account a callback_token, the Token of the server configuration in WeChat's console",
            ),
            Self::Refused(error) if error.is_forgery() => Some(
                "callback_token and encoding_aes_key must be those of this account's server configuration in \
                 WeChat's console",
            ),
            _ => None,
        }
    }
}
