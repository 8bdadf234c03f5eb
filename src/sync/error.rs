//! Why a sync stopped.

use crate::model::{AppId, RunId, RunState};
use crate::{store, wechat};

/// Why a sync stopped. Pages committed before the error stay committed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process is syncing the account.
    #[error("another process is syncing {0}")]
    LeaseHeld(AppId),
    /// Another process took over the run; this process has written nothing since.
    #[error("another process took over the sync of {0}")]
    LeaseLost(AppId),
    /// A run already covers the tick.
    #[error("this tick of {0} already has a run")]
    TickTaken(AppId),
    /// WeChat did not list the followers.
    #[error("WeChat did not return page {page} of the follower list")]
    Page {
        /// The page number, counted from 1.
        page: u64,
        /// Why the call failed.
        source: wechat::Error,
    },
    /// WeChat refused the cursor of the current page and those of the pages before it.
    #[error("WeChat refused the cursor of page {page} and the cursors before it")]
    Cursor {
        /// The page number, counted from 1.
        page: u64,
        /// WeChat's last refusal.
        source: wechat::Error,
    },
    /// A page points back to a page that the crawl already visited.
    #[error("the follower list repeats an earlier cursor at page {page}")]
    Loop {
        /// The page number, counted from 1.
        page: u64,
    },
    /// A page contradicts itself.
    #[error("page {page} of the follower list is inconsistent: {problem}")]
    Inconsistent {
        /// The page number, counted from 1.
        page: u64,
        /// What is wrong with the page.
        problem: String,
    },
    /// The list ended long before the total that WeChat reports.
    #[error("the follower list ended after {listed} of {total} followers")]
    EndedEarly {
        /// Openids listed.
        listed: u64,
        /// The total that WeChat reports.
        total: u64,
    },
    /// WeChat did not return the profiles of the sample that is checked before a crawl.
    #[error("WeChat did not return the profiles that are sampled before a crawl")]
    Probe(#[source] wechat::Error),
    /// WeChat refused every follower of a page, which points to the account and not to the followers.
    #[error("WeChat refused all {requested} requested followers: {reason}")]
    AllRefused {
        /// The number of requested followers.
        requested: u64,
        /// WeChat's reason for one of them.
        reason: String,
    },
    /// WeChat did not return profiles.
    #[error("WeChat did not return profiles for page {page}")]
    Profiles {
        /// The page number, counted from 1.
        page: u64,
        /// Why the call failed.
        source: wechat::Error,
    },
    /// WeChat did not return the profile of a follower that is checked separately.
    #[error("WeChat did not return a follower's profile")]
    Profile(#[source] wechat::Error),
    /// A database operation failed.
    #[error("could not read or write the follower data")]
    Store(#[from] store::Error),
    /// The process is shutting down.
    #[error("stopped on request")]
    Stopped,
    /// The run is not in a state that allows the operation.
    #[error("run {id} is {state}, not {needed}")]
    NotInState {
        /// The run.
        id: RunId,
        /// The run's state.
        state: RunState,
        /// The states that allow the operation.
        needed: &'static str,
    },
    /// The run does not exist.
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// A newer crawl has better data on who left.
    #[error("run {0} can no longer be confirmed: a newer run has crawled the account")]
    Outdated(RunId),
    /// The checkpoint lacks committed pages, so no sweep can be based on it.
    #[error("the checkpoint of run {0} is incomplete")]
    Checkpoint(RunId),
    /// The run must start over, because the profiles on its committed pages are needed again too.
    #[error("run {0} has to start over to fetch all profiles again")]
    RestartNeeded(RunId),
    /// A bug: a stage of the pipeline ended without a result.
    #[error("a stage of the sync ended unexpectedly")]
    StageGone,
}

impl Error {
    /// Returns the WeChat error that stopped the sync, if one did.
    pub fn wechat(&self) -> Option<&wechat::Error> {
        match self {
            Self::Page { source, .. }
            | Self::Cursor { source, .. }
            | Self::Probe(source)
            | Self::Profile(source)
            | Self::Profiles { source, .. } => Some(source),
            _ => None,
        }
    }

    /// Whether an operator has to change the configuration, here or in WeChat's console.
    pub fn is_configuration(&self) -> bool {
        self.wechat().is_some_and(|error| error.class() == wechat::Class::Config)
    }

    /// Returns the operator's next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::LeaseHeld(_) => Some("wait until it ends; `runs list` shows its progress".into()),
            Self::AllRefused { .. } => Some(
                "check that AppID and AppSecret belong to the same account; no follower was \
                 quarantined"
                    .into(),
            ),
            Self::Loop { .. } | Self::Inconsistent { .. } | Self::EndedEarly { .. } => {
                Some("no follower was marked as departed; the next run starts over".into())
            }
            _ => self.wechat().and_then(wechat::Error::hint),
        }
    }
}
