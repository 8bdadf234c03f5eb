//! Error responses for refused messages and failed template operations.

use std::time::Duration;

use crate::http::error::{FieldError, Problem, sanitize};
use crate::push::{Error, Mistake, Refusal};
use crate::wechat::FailureKind;

/// `Retry-After` while the first request with the same Idempotency-Key is being processed.
const IN_FLIGHT_RETRY: Duration = Duration::from_secs(1);

/// Returns the mistakes in the fields of a message.
pub(super) fn field_errors(refusal: &Refusal) -> Vec<FieldError> {
    let Refusal::DataInvalid(mistakes) = refusal else { return Vec::new() };
    let errors = mistakes.iter().map(|Mistake { field, problem }| FieldError {
        field: field.clone(),
        problem: sanitize(problem),
    });
    errors.collect()
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (code, detail) = (refusal.code(), sanitize(&refusal.to_string()));
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
                // The account works, so WeChat refuses this particular request.
                FailureKind::Refused => Self::unprocessable("wechat_refused_request", detail),
                failure_kind => Self::wechat(failure_kind, detail),
            }
            .maybe_upstream(error.upstream())
            .caused_by(&error),
        };
        problem.maybe_hint(hint)
    }
}
