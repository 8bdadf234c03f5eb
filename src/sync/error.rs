//! Why a sync stopped.

use crate::model::{AppId, RunId, RunState};
use crate::{store, wechat};

/// Why a sync stopped. Every page committed before it stays committed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process syncs the account now.
    #[error("another process is syncing {0}")]
    LeaseHeld(AppId),
    /// Another process took the run over; this one has written nothing since.
    #[error("another process took over the sync of {0}")]
    LeaseLost(AppId),
    /// The tick has a run already.
    #[error("this tick of {0} has been run already")]
    TickTaken(AppId),
    /// WeChat did not list the followers.
    #[error("WeChat did not return page {page} of the followers")]
    Page {
        /// Counted from 1.
        page: u64,
        /// Why.
        source: wechat::Error,
    },
    /// WeChat refuses to go on from where the crawl is, and from before that.
    #[error("WeChat refuses the cursor of page {page} and those before it")]
    Cursor {
        /// Counted from 1.
        page: u64,
        /// What it said.
        source: wechat::Error,
    },
    /// The list leads back to where the crawl has been.
    #[error("the list of followers leads in a circle at page {page}")]
    Loop {
        /// Counted from 1.
        page: u64,
    },
    /// A page contradicts itself.
    #[error("page {page} of the followers is inconsistent: {problem}")]
    Inconsistent {
        /// Counted from 1.
        page: u64,
        /// In which way.
        problem: String,
    },
    /// The list ended long before its own total.
    #[error("the list of followers ended after {listed} of {total}")]
    EndedEarly {
        /// Openids listed.
        listed: u64,
        /// WeChat's own count.
        total: u64,
    },
    /// WeChat did not tell profiles of the handful that is asked before a crawl.
    #[error("WeChat did not answer for the followers that are asked before the crawl")]
    Probe(#[source] wechat::Error),
    /// WeChat refuses everybody, so it is not them.
    #[error("WeChat refuses all {asked} followers it was asked for: {reason}")]
    AllRefused {
        /// How many were asked for.
        asked: u64,
        /// What it says of one.
        reason: String,
    },
    /// WeChat did not tell profiles.
    #[error("WeChat did not return profiles for page {page}")]
    Profiles {
        /// Counted from 1.
        page: u64,
        /// Why.
        source: wechat::Error,
    },
    /// The database did not do it.
    #[error("could not save or read the mirror")]
    Store(#[from] store::Error),
    /// The process was asked to end.
    #[error("stopped on request")]
    Stopped,
    /// No such run, or not in a state for that.
    #[error("run {id} is {state}, not {needed}")]
    NotInState {
        /// The run.
        id: RunId,
        /// Where it stands.
        state: RunState,
        /// Where it would have to.
        needed: &'static str,
    },
    /// There is no such run.
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// A newer crawl says more about who left.
    #[error("the account was crawled again after run {0}, which can no longer be confirmed")]
    Outdated(RunId),
    /// The checkpoint does not hold all pages that were committed: no sweep can be based on it.
    #[error("the checkpoint of run {0} is incomplete")]
    Checkpoint(RunId),
    /// Everybody has to be asked, those on the committed pages too.
    #[error("run {0} is given up to begin anew and ask everybody")]
    BeginAnew(RunId),
    /// A bug: a stage of the pipeline ended without a word.
    #[error("a stage of the sync ended unexpectedly")]
    StageGone,
}

impl Error {
    /// What WeChat answered, where that was it.
    pub fn wechat(&self) -> Option<&wechat::Error> {
        match self {
            Self::Page { source, .. }
            | Self::Cursor { source, .. }
            | Self::Probe(source)
            | Self::Profiles { source, .. } => Some(source),
            _ => None,
        }
    }

    /// Whether an operator has to change the configuration, here or in WeChat's console.
    pub fn is_configuration(&self) -> bool {
        self.wechat().is_some_and(|error| error.class() == wechat::Class::Config)
    }

    /// An operator's next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::LeaseHeld(_) => {
                Some("wait for it to end; `runs list` shows how far it is".into())
            }
            Self::AllRefused { .. } => Some(
                "check that AppID and AppSecret are of the same account; nobody was set aside"
                    .into(),
            ),
            Self::Loop { .. } | Self::Inconsistent { .. } | Self::EndedEarly { .. } => {
                Some("nobody was marked as having left; the next run begins anew".into())
            }
            _ => self.wechat().and_then(wechat::Error::hint),
        }
    }

    /// The error and what is behind it, in one line.
    pub fn explained(&self) -> String {
        let mut line = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            let text = cause.to_string();
            if !line.contains(&text) {
                line = format!("{line}: {text}");
            }
            source = cause.source();
        }
        line
    }
}
