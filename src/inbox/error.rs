//! Why a callback is not answered with `success`.

use std::sync::Arc;

use crate::model::AppId;
use crate::store;
use crate::wechat::callback;

/// Why a callback is not answered with `success`. WeChat sends it three times in all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No account with this AppID is configured for callbacks.
    #[error("{0} is not configured for callbacks")]
    UnknownAccount(AppId),
    /// The callback is not from WeChat, not for this account, or malformed.
    #[error(transparent)]
    Refused(#[from] callback::Error),
    /// The database failed or did not answer in time.
    #[error("the callback could not be saved")]
    Store(#[from] Arc<store::Error>),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl Error {
    /// What an operator can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UnknownAccount(_) => Some(
                "set the account's callback_token to the Token of the server configuration in WeChat's console",
            ),
            Self::Refused(error) if error.is_forgery() => Some(
                "callback_token and encoding_aes_key must be those of this account's server configuration in \
                 WeChat's console",
            ),
            _ => None,
        }
    }
}
