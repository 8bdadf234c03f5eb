//! Why a lookup failed. A user who is not found is no error.

use std::sync::Arc;

use crate::model::UnclearAccount;
use crate::store;

/// Why a lookup failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The account of an openid, or the target account, is not clear.
    #[error("{0}")]
    Account(#[from] UnclearAccount),
    /// The database failed or did not answer in time.
    #[error("the user could not be looked up")]
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
            Self::Account(unclear) => unclear.hint(),
            Self::Store(error) => error.hint().to_owned(),
        }
    }
}
