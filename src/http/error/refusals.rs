//! What the errors that every handler may meet are to its caller.

use std::time::Duration;

use super::Problem;
use crate::keys::Refusal;
use crate::store;

/// How soon to try again once the database was away.
const DATABASE_RETRY: Duration = Duration::from_secs(2);

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        if !error.is_passing() {
            return Self::internal(&error);
        }
        let detail = "the database does not answer; nothing was changed, or all of it was";
        Self::unavailable("database_unavailable", detail, DATABASE_RETRY).caused_by(&error)
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
