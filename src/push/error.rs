//! Why a message was not accepted, by what the caller can do.

use std::sync::Arc;

use crate::model::{AppId, TemplateId, UnclearAccount};
use crate::resolve::{self, Resolution};
use crate::store;
use crate::wechat::{self, FailureKind};

/// Why nothing was accepted, or not done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The person, or the Official Account, cannot be looked up.
    #[error("{0}")]
    Resolve(#[from] resolve::Error),
    /// It is not clear which account sends, or which one a person is of.
    #[error("{0}")]
    Account(#[from] UnclearAccount),
    /// The Idempotency-Key came before, with something else.
    #[error("this Idempotency-Key was used for another request")]
    OtherRequest,
    /// The Idempotency-Key came before, and is not answered yet.
    #[error("the first request with this Idempotency-Key is not answered yet")]
    InFlight,
    /// WeChat did not do it.
    #[error("WeChat did not do it: {0}")]
    Wechat(#[source] Arc<wechat::Error>),
    /// The database did not do it.
    #[error("the message could not be stored")]
    Store(#[source] Arc<store::Error>),
}

/// Why one message was not accepted. Nothing of it is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The person cannot be reached, for the reason that a look-up gives.
    #[error("{}", .0.problem().unwrap_or("this user cannot be reached"))]
    Unreachable(Resolution),
    /// The person was never seen in the Mini Program that sends.
    #[error("this user never logged in to the Mini Program that sends")]
    NotAUser,
    /// The person does not want messages of this template.
    #[error("this user does not want messages of this template")]
    RefusedByUser,
    /// The account has no such template.
    #[error("{sender} has no template {template_id}")]
    TemplateUnknown {
        /// The account.
        sender: AppId,
        /// The template named.
        template_id: TemplateId,
    },
    /// WeChat would not take the data.
    #[error("{}", told(.0))]
    DataInvalid(Vec<Mistake>),
}

/// What is wrong with one part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Which part, such as `data.thing2` or `fallback.subscribe.data.thing2`.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

fn told(mistakes: &[Mistake]) -> String {
    let told = mistakes.iter().map(|Mistake { field, problem }| format!("{field} {problem}"));
    told.collect::<Vec<_>>().join("; ")
}

impl Error {
    /// Whether the configuration has to change, here or in WeChat's console.
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Resolve(resolve::Error::Store(_)) => false,
            Self::Resolve(_) | Self::Account(_) => true,
            Self::Wechat(error) => error.failure_kind() == FailureKind::Misconfigured,
            Self::OtherRequest | Self::InFlight | Self::Store(_) => false,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Resolve(error) => Some(error.hint()),
            Self::Account(unclear) => Some(unclear.hint()),
            Self::OtherRequest => Some(
                "make a new key for each message, and send the same one only to repeat it".into(),
            ),
            Self::InFlight => Some("ask again in a moment: it gets the same answer".into()),
            Self::Wechat(error) => error.hint(),
            Self::Store(error) => Some(error.hint().to_owned()),
        }
    }
}

impl Refusal {
    /// Whether it is the person who cannot be reached, and not the message that is wrong.
    pub(super) fn is_of_person(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::NotAUser | Self::RefusedByUser)
    }

    /// The same, said of a part of the request: `subscribe`, say.
    pub(super) fn within(self, part: &str) -> Self {
        let Self::DataInvalid(mistakes) = self else { return self };
        let named =
            |Mistake { field, problem }| Mistake { field: format!("{part}.{field}"), problem };
        Self::DataInvalid(mistakes.into_iter().map(named).collect())
    }

    /// Its word, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(resolution) => resolution.status(),
            Self::NotAUser => "not_a_user",
            Self::RefusedByUser => "refused_by_user",
            Self::TemplateUnknown { .. } => "template_unknown",
            Self::DataInvalid(_) => "data_invalid",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unreachable(resolution) => return resolution.hint(),
            Self::NotAUser => "have the user log in to that Mini Program",
            Self::RefusedByUser => {
                "the user has switched this template off, and can switch it on again in the Official \
                 Account's settings; it is tried again a week later"
            }
            Self::TemplateUnknown { .. } => {
                "`templates list` shows the account's templates; one that was just added in WeChat's \
                 console is known here within ten minutes"
            }
            Self::DataInvalid(_) => {
                "give every key of the template's content a text that its kind allows"
            }
        })
    }
}

impl From<wechat::Error> for Error {
    fn from(error: wechat::Error) -> Self {
        Self::Wechat(Arc::new(error))
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(Arc::new(error))
    }
}
