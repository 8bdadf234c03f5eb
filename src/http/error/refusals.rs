//! What the errors that every handler may meet are to its caller.

use std::borrow::Cow;
use std::time::Duration;

use super::{Problem, Upstream};
use crate::keys::Refusal;
use crate::store;
use crate::wechat::{FailureKind, Upstream as Said};

/// How soon to try again once the database was away.
const DATABASE_RETRY: Duration = Duration::from_secs(2);

/// How soon another process answers in place of one that ends.
const ENDING_RETRY: Duration = Duration::from_secs(2);

/// How soon to try again while WeChat is busy.
const BUSY_RETRY: Duration = Duration::from_secs(5);

/// How soon to look again once an allowance of WeChat's is used up: it may take until midnight, UTC+8.
const SPENT_RETRY: Duration = Duration::from_secs(300);

impl Problem {
    /// 502, 503 or 504: WeChat did not do it.
    pub(in crate::http) fn wechat(
        failure_kind: FailureKind,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        match failure_kind {
            FailureKind::Busy => Self::unavailable("wechat_busy", detail, BUSY_RETRY),
            FailureKind::Spent => Self::unavailable("wechat_quota_spent", detail, SPENT_RETRY),
            FailureKind::TooSlow => Self::too_slow("wechat_too_slow", detail),
            FailureKind::NotUnderstood => Self::not_understood("wechat_not_understood", detail),
            FailureKind::Misconfigured | FailureKind::Refused => {
                Self::not_understood("wechat_refused", detail)
            }
        }
    }

    /// With what WeChat said, where it said anything.
    pub(in crate::http) fn said(self, upstream: Option<&Said>) -> Self {
        match upstream.cloned() {
            Some(Said { errcode, errmsg, rid }) => self.upstream(Upstream { errcode, errmsg, rid }),
            None => self,
        }
    }

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
