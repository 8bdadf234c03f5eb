//! The result of a check, and helpers to run one with a time limit.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::Name;

/// The result of a check, ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There was nothing to check, or the check could not run.
    Skipped,
    /// No problem was found.
    Ok,
    /// It works, but is likely to cause problems.
    Warn,
    /// It does not work.
    Fail,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Skipped => "skipped",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        })
    }
}

/// The findings of one check. Contains no secret, no token and no openid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The name of the check.
    pub name: Name,
    /// What was checked, if the check runs more than once: an AppID, a file, or a configuration key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The result.
    pub state: State,
    /// What was found, in one line.
    pub detail: String,
    /// What to do. Every warning and every failure has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Check {
    fn new(name: Name, state: State, detail: impl Into<String>, hint: Option<String>) -> Self {
        Self { name, subject: None, state, detail: detail.into(), hint }
    }

    pub(super) fn ok(name: Name, detail: impl Into<String>) -> Self {
        Self::new(name, State::Ok, detail, None)
    }

    pub(super) fn skipped(name: Name, why: impl Into<String>) -> Self {
        Self::new(name, State::Skipped, why, None)
    }

    pub(super) fn warn(name: Name, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(name, State::Warn, detail, Some(hint.into()))
    }

    pub(super) fn fail(name: Name, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(name, State::Fail, detail, Some(hint.into()))
    }

    /// Sets the subject.
    pub(super) fn about(self, subject: impl ToString) -> Self {
        Self { subject: Some(subject.to_string()), ..self }
    }

    /// Sets a hint, also for a check that is ok.
    pub(super) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// Runs a step with a time limit. If the limit is reached, returns a failed check.
pub(super) async fn within<T>(
    limit: Duration,
    name: Name,
    step: impl Future<Output = Result<T, Check>>,
) -> Result<T, Check> {
    tokio::time::timeout(limit, step).await.unwrap_or_else(|_| {
        let detail = format!("did not finish within {} s", limit.as_secs());
        Err(Check::fail(
            name,
            detail,
            "run `doctor` again; if this persists, set log.filter to debug for details",
        ))
    })
}

/// Returns the check, whether the step completed or ended early.
pub(super) fn merge(outcome: Result<Check, Check>) -> Check {
    outcome.unwrap_or_else(|check| check)
}
