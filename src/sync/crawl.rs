//! The pipeline: stages that work at the same time, joined by short queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures::Stream;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::list::Walk;
use super::plan::Planner;
use super::refresh::Window;
use super::run::Began;
use super::{Error, Job, profiles, write_page};
use crate::clock::DatabaseClock;
use crate::failpoint::failpoint;
use crate::lease::Lease;
use crate::store::runs::{Page, Record};

/// A stage of the pipeline: a task, and the queue it fills. Dropping it ends the task.
pub(super) struct Stage<T> {
    queue: mpsc::Receiver<Result<T, Error>>,
    _task: AbortOnDropHandle<()>,
}

impl<T: Send + 'static> Stage<T> {
    pub(super) fn new(
        queue: mpsc::Receiver<Result<T, Error>>,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self { queue, _task: AbortOnDropHandle::new(tokio::spawn(work)) }
    }

    pub(super) async fn next(&mut self) -> Option<Result<T, Error>> {
        self.queue.recv().await
    }

    pub(super) fn into_stream(self) -> impl Stream<Item = Result<T, Error>> + Send {
        futures::stream::unfold(self, async |mut stage| {
            let item = stage.next().await?;
            Some((item, stage))
        })
    }
}

/// What all stages of one crawl share.
pub(super) struct Crawl {
    pub(super) job: Job,
    pub(super) clock: DatabaseClock,
    /// What the run had cost before this start.
    pub(super) began: Began,
    /// No follower of the account was known before this run: there is nothing to look up.
    pub(super) first_load: bool,
    /// Ask for everybody.
    pub(super) full: bool,
    /// WeChat changed everybody's unionid: a contradiction is no news.
    pub(super) rebound: bool,
    /// Which of the known followers are due tonight.
    pub(super) window: Window,
    /// Openids that are set aside already: asked alone, so that they spoil no batch.
    pub(super) quarantined: std::collections::HashSet<String>,
    pub(super) unionids: Unionids,
    pub(super) refusals: Refusals,
}

/// Whether the account gives unionids at all. Without a binding to an Open Platform account none
/// of its profiles has one, and asking again for each would cost a call per follower.
#[derive(Debug, Default)]
pub(super) struct Unionids {
    given: AtomicBool,
    doubts: AtomicU32,
}

/// How many blank profiles are asked for again before the first unionid has been seen.
const MOST_DOUBTS: u32 = 3;

impl Unionids {
    pub(super) fn saw_one(&self) {
        self.given.store(true, Ordering::Relaxed);
    }

    pub(super) fn are_given(&self) -> bool {
        self.given.load(Ordering::Relaxed)
    }

    /// Whether a blank profile is worth a call of its own.
    pub(super) fn worth_asking_again(&self) -> bool {
        self.are_given() || self.doubts.fetch_add(1, Ordering::Relaxed) < MOST_DOUBTS
    }
}

/// Openids WeChat refused, against those it was asked for: where it is many, the token and the
/// openids do not belong together, and nobody should be set aside.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    asked: AtomicU32,
    refused: AtomicU32,
}

/// Below this many refusals their share says nothing.
const FEW_REFUSALS: u32 = 100;

impl Refusals {
    pub(super) fn asked(&self, openids: usize) {
        self.asked.fetch_add(openids as u32, Ordering::Relaxed);
    }

    /// Counts a refusal; whether there are too many by now.
    pub(super) fn refused_too_many(&self) -> bool {
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        refused > FEW_REFUSALS && refused > self.asked.load(Ordering::Relaxed) / 5
    }
}

/// Crawls from the checkpoint to the end of the list, and commits page by page.
pub(super) async fn crawl(
    crawl: &Arc<Crawl>,
    record: &mut Record,
    committed: &[Page],
    lease: &Lease,
) -> Result<(), Error> {
    let cursors = committed.iter().map(|page| page.next_openid.clone());
    let walk = Walk::new(crawl.job.wechat.clone(), crawl.clock, cursors, record.run.counts.listed);
    let deferred = committed.last().map_or(&[][..], |page| &page.deferred);
    let planned = Planner::resume(crawl.clone(), deferred).await?.spawn(walk.spawn());
    let mut told = profiles::spawn(crawl.clone(), planned);
    loop {
        let page = tokio::select! {
            biased;
            () = crawl.job.stop.cancelled() => return Err(Error::Stopped),
            () = lease.lost().cancelled() => {
                return Err(Error::LeaseLost(record.run.appid.clone()));
            }
            page = told.next() => page.ok_or(Error::StageGone)??,
        };
        failpoint!("sync.page_fetched");
        let (last, empty) = (page.planned.listed.last, page.planned.openids == 0);
        write_page::commit(crawl, record, lease, page).await?;
        failpoint!("sync.page_committed");
        if !empty {
            (crawl.job.observer)(&record.run, record.total_last);
        }
        if last {
            return Ok(());
        }
    }
}
