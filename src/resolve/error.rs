//! Why a look-up gave no answer. Not finding somebody is an answer.

use std::sync::Arc;

use crate::model::UnclearAccount;
use crate::store;

/// Why a look-up gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The account that an openid is of, or the one asked about, is not clear.
    #[error("{0}")]
    Account(#[from] UnclearAccount),
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
            Self::Account(unclear) => unclear.hint(),
            Self::Store(error) => error.hint().to_owned(),
        }
    }
}
