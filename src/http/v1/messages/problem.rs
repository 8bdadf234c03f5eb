//! What keeps a message from being sent, or a template from being changed, as the caller is told.

use std::time::Duration;

use crate::http::error::{FieldError, Problem, fit};
use crate::push::{Error, Mistake, Refusal};
use crate::wechat::FailureKind;

/// How soon a request in flight may have its answer.
const IN_FLIGHT_RETRY: Duration = Duration::from_secs(1);

/// What is wrong with the parts of a message.
pub(super) fn field_errors(refusal: &Refusal) -> Vec<FieldError> {
    let Refusal::DataInvalid(mistakes) = refusal else { return Vec::new() };
    let told = mistakes.iter().map(|Mistake { field, problem }| FieldError {
        field: field.clone(),
        problem: fit(problem),
    });
    told.collect()
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (code, detail) = (refusal.code(), fit(&refusal.to_string()));
        let problem = match &refusal {
            Refusal::Unreachable(_) | Refusal::NotAUser | Refusal::TemplateUnknown { .. } => {
                Self::not_found(code, detail)
            }
            Refusal::RefusedByUser => Self::forbidden(code, detail),
            Refusal::DataInvalid(_) => Self::bad_request(code, detail),
        };
        problem.errors(field_errors(&refusal)).maybe_hint(refusal.hint())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (detail, hint) = (error.to_string(), error.hint());
        let problem = match error {
            Error::Resolve(error) => return error.into(),
            Error::Account(unclear) => return unclear.into(),
            Error::Store(error) => return error.as_ref().into(),
            Error::OtherRequest => Self::unprocessable("idempotency_key_reused", detail),
            Error::InFlight => {
                Self::conflict("request_in_flight", detail).retry_after(IN_FLIGHT_RETRY)
            }
            Error::Wechat(error) => match error.failure_kind() {
                // Of an account that works: it is the request that WeChat does not like.
                FailureKind::Refused => Self::unprocessable("wechat_refused_request", detail),
                failure_kind => Self::wechat(failure_kind, detail),
            }
            .said(error.upstream())
            .caused_by(&error),
        };
        problem.maybe_hint(hint)
    }
}
