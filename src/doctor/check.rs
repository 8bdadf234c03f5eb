//! What a check found, and the time that one may take.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::Name;

/// How a check came out; the worst is the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There was nothing to check, or no way to.
    Skipped,
    /// All is well.
    Ok,
    /// It works, and will give trouble.
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

/// What one check found. Holds no secret, no token and no openid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Which check.
    pub name: Name,
    /// What it was about, where it is made more than once: an AppID, a file, a key of the
    /// configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// How it came out.
    pub state: State,
    /// What was found, in one line.
    pub detail: String,
    /// What to do; every warning and every failure has one.
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

    /// Says what it was about.
    pub(super) fn about(self, subject: impl ToString) -> Self {
        Self { subject: Some(subject.to_string()), ..self }
    }

    /// Adds what may be worth doing although all is well.
    pub(super) fn noting(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// The outcome of a step, or the check that it failed, also where it took too long.
pub(super) async fn within<T>(
    limit: Duration,
    name: Name,
    step: impl Future<Output = Result<T, Check>>,
) -> Result<T, Check> {
    tokio::time::timeout(limit, step).await.unwrap_or_else(|_| {
        let detail = format!("came to no end within {} s", limit.as_secs());
        Err(Check::fail(name, detail, "run `doctor` again; if it stays so, raise log.filter"))
    })
}

/// Either of what a step gives: a check is a check.
pub(super) fn either(outcome: Result<Check, Check>) -> Check {
    outcome.unwrap_or_else(|check| check)
}

/// An error with its causes, those left out whose words stand already.
pub(super) fn told(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&cause| cause.source());
    causes.map(ToString::to_string).fold(String::new(), |told, text| match told.as_str() {
        "" => text,
        _ if told.contains(&text) => told,
        _ => format!("{told}: {text}"),
    })
}
