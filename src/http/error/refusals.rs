//! Responses for the errors that any handler may encounter: of WeChat, the database, and API keys.

use std::borrow::Cow;
use std::time::Duration;

use super::{Problem, Upstream};
use crate::keys::Refusal;
use crate::store;
use crate::wechat::{FailureKind, Upstream as WechatUpstream};

/// `Retry-After` of a temporary database failure.
const DATABASE_RETRY: Duration = Duration::from_secs(2);

/// `Retry-After` of a process that shuts down: by then, requests reach another one.
const SHUTDOWN_RETRY: Duration = Duration::from_secs(2);

/// `Retry-After` while WeChat is busy.
const BUSY_RETRY: Duration = Duration::from_secs(5);

/// `Retry-After` of a spent WeChat quota, which may last until midnight UTC+8.
const SPENT_RETRY: Duration = Duration::from_secs(300);

impl Problem {
    /// 502, 503 or 504: the request to WeChat failed.
    pub(in crate::http) fn wechat(
        failure_kind: FailureKind,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        match failure_kind {
            FailureKind::Busy => Self::unavailable("wechat_busy", detail, BUSY_RETRY),
            FailureKind::QuotaUsedUp => {
                Self::unavailable("wechat_quota_spent", detail, SPENT_RETRY)
            }
            FailureKind::Timeout => Self::gateway_timeout("wechat_too_slow", detail),
            FailureKind::Undecodable => Self::bad_gateway("wechat_not_understood", detail),
            FailureKind::Misconfigured | FailureKind::Refused => {
                Self::bad_gateway("wechat_refused", detail)
            }
        }
    }

    /// Adds the error that WeChat returned, if any.
    pub(in crate::http) fn maybe_upstream(self, upstream: Option<&WechatUpstream>) -> Self {
        match upstream.cloned() {
            Some(WechatUpstream { errcode, errmsg, rid }) => {
                self.upstream(Upstream { errcode, errmsg, rid })
            }
            None => self,
        }
    }

    /// 503: a temporary failure of the database. `state` says which.
    fn database_unavailable(state: &'static str) -> Self {
        Self::unavailable("database_unavailable", state, DATABASE_RETRY)
            .hint("try again: the request took effect completely or not at all")
    }

    /// 503: the database did not answer in time.
    pub(in crate::http) fn database_too_slow() -> Self {
        Self::database_unavailable(TOO_SLOW)
    }

    /// 503: this process shuts down and would not finish the request.
    pub(in crate::http) fn shutting_down() -> Self {
        Self::unavailable("ending", "the process is shutting down", SHUTDOWN_RETRY)
            .hint("try again: another process, or this one after its restart, takes the request")
    }
}

const TOO_SLOW: &str = "the database did not answer in time";

/// Describes a database failure without the database's own message, which may quote values.
pub(in crate::http) fn database_state(error: &store::Error) -> &'static str {
    match error {
        store::Error::Unavailable(_) => "the database is unreachable",
        store::Error::TooSlow(_) => TOO_SLOW,
        store::Error::Contended(_) => "another database transaction holds the required locks",
        store::Error::Full(_) => "the disk of the database is full",
        store::Error::Migrating { .. } => "another process is migrating the database schema",
        store::Error::Duplicate(_) | store::Error::Failed(_) => "the database rejected a statement",
    }
}

impl From<&store::Error> for Problem {
    fn from(error: &store::Error) -> Self {
        let problem = match error.is_passing() {
            true => Self::database_unavailable(database_state(error)),
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
            Refusal::Unverifiable => {
                let detail = "API keys cannot be checked: reading them from the database has failed \
                              for too long";
                return Self::unavailable("database_unavailable", detail, DATABASE_RETRY)
                    .hint("try again");
            }
        };
        Self::unauthorized(code, "the API key is not valid")
            .hint("check that the key is complete, or create one with `unionid-bridge keys create`")
    }
}
