//! Why messages are not accepted, grouped by what the caller can do.

use std::sync::Arc;

use crate::model::{AppId, TemplateId, UnclearAccount};
use crate::resolve::{self, Resolution};
use crate::store;
use crate::wechat::{self, FailureKind};

/// Why a call to [`Push`](super::Push) failed as a whole.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The user or the Official Account could not be looked up.
    #[error("{0}")]
    Resolve(#[from] resolve::Error),
    /// It is unclear which account sends, or which account an openid belongs to.
    #[error("{0}")]
    Account(#[from] UnclearAccount),
    /// The Idempotency-Key was used before, with another request body.
    #[error("this Idempotency-Key was used for another request")]
    OtherRequest,
    /// The first request with this Idempotency-Key is still being answered.
    #[error("the first request with this Idempotency-Key is not answered yet")]
    InFlight,
    /// WeChat rejected the call or could not be reached.
    #[error("the call to WeChat failed: {0}")]
    Wechat(#[source] Arc<wechat::Error>),
    /// The database failed or did not answer in time.
    #[error("the message could not be stored")]
    Store(#[source] Arc<store::Error>),
}

/// Why one message was not accepted. Nothing of it is stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The user cannot be reached, for the reason that the lookup returned.
    #[error("{}", .0.problem().unwrap_or("this user cannot be reached"))]
    Unreachable(Resolution),
    /// The user never logged in to the sending Mini Program.
    #[error("this user never logged in to the sending Mini Program")]
    NotAUser,
    /// The user declined messages of this template.
    #[error("this user declined messages of this template")]
    RefusedByUser,
    /// The account has no such template.
    #[error("{sender} has no template {template_id}")]
    TemplateUnknown {
        /// The account.
        sender: AppId,
        /// The requested template.
        template_id: TemplateId,
    },
    /// WeChat would refuse the content.
    #[error("{}", describe(.0))]
    DataInvalid(Vec<Mistake>),
}

/// What is wrong with one part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The invalid field, such as `data.thing2` or `fallback.subscribe.data.thing2`.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

fn describe(mistakes: &[Mistake]) -> String {
    let described = mistakes.iter().map(|Mistake { field, problem }| format!("{field} {problem}"));
    described.collect::<Vec<_>>().join("; ")
}

impl Error {
    /// Whether somebody has to change the configuration, here or in WeChat's console.
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
                "use a new key for each message, and repeat a key only to retry the same request"
                    .into(),
            ),
            Self::InFlight => {
                Some("retry in a moment with the same key to get the first answer".into())
            }
            Self::Wechat(error) => error.hint(),
            Self::Store(error) => Some(error.hint().to_owned()),
        }
    }
}

impl Refusal {
    /// Whether the user cannot be reached, as opposed to an invalid message.
    pub(super) fn is_about_user(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::NotAUser | Self::RefusedByUser)
    }

    /// Prefixes the invalid fields with a part of the request, such as `subscribe`.
    pub(super) fn within(self, part: &str) -> Self {
        let Self::DataInvalid(mistakes) = self else { return self };
        let prefixed =
            |Mistake { field, problem }| Mistake { field: format!("{part}.{field}"), problem };
        Self::DataInvalid(mistakes.into_iter().map(prefixed).collect())
    }

    /// The machine-readable code.
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
            Self::NotAUser => "have the user log in to that Mini Program first",
            Self::RefusedByUser => {
                "the user can allow this template again in the Official Account's settings; the service \
                 tries again a week after the refusal"
            }
            Self::TemplateUnknown { .. } => {
                "`templates list` shows the account's templates; a template that was just added in \
                 WeChat's console is found within ten minutes"
            }
            Self::DataInvalid(_) => {
                "set every key of the template to a text that is valid for its type"
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
