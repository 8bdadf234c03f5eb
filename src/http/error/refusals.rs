//! What the errors that every handler may meet are to its caller.

use std::time::Duration;

use super::Problem;
use crate::keys::Refusal;
use crate::store;

/// How soon to try again once the database was away.
const DATABASE_RETRY: Duration = Duration::from_secs(2);

/// How soon another process answers in place of one that ends.
const ENDING_RETRY: Duration = Duration::from_secs(2);

impl Problem {
    /// 503: the database does not answer.
    pub(in crate::http) fn database_unavailable() -> Self {
        let detail = "the database does not answer; nothing was changed, or all of it was";
        Self::unavailable("database_unavailable", detail, DATABASE_RETRY)
    }

    /// 503: what was asked for would not be finished here.
    pub(in crate::http) fn ending() -> Self {
        Self::unavailable("ending", "the process is about to end", ENDING_RETRY)
    }
}

impl From<&store::Error> for Problem {
    fn from(error: &store::Error) -> Self {
        let problem = match error.is_passing() {
            true => Self::database_unavailable(),
            false => Self::internal(error),
        };
        match error.code() {
            Some(code) => problem.caused_by(&format!("{error} (code {code})")),
            None => problem.caused_by(error),
        }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        (&error).into()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::Malformed => "key_malformed",
            Refusal::Unknown => "key_unknown",
            Refusal::Revoked => "key_revoked",
            Refusal::Expired => "key_expired",
            Refusal::Unsure => {
                let detail = "the database does not answer, so that no key can be checked";
                return Self::unavailable("database_unavailable", detail, DATABASE_RETRY);
            }
        };
        Self::unauthorized(code, "the API key is not valid")
            .hint("make a key with `unionid-bridge keys create`")
    }
}
