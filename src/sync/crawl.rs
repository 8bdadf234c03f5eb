//! The pipeline: concurrent stages connected by short queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures::Stream;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::list::Walk;
use super::plan::Planner;
use super::refresh::Window;
use super::run::Usage;
use super::{Error, Job, profiles, write_page};
use crate::clock::DatabaseClock;
use crate::failpoint::failpoint;
use crate::lease::Lease;
use crate::store::runs::{Page, Record};

/// A stage of the pipeline: a task and the queue that it fills. Dropping the stage aborts the task.
pub(super) struct Stage<T> {
    queue: mpsc::Receiver<Result<T, Error>>,
    _task: AbortOnDropHandle<()>,
}

impl<T: Send + 'static> Stage<T> {
    pub(super) fn new(
        queue: mpsc::Receiver<Result<T, Error>>,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self { queue, _task: AbortOnDropHandle::new(tokio::spawn(task)) }
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

/// The state that all stages of one crawl share.
pub(super) struct Crawl {
    pub(super) job: Job,
    pub(super) clock: DatabaseClock,
    /// What the run used before this process started to work on it.
    pub(super) usage: Usage,
    /// Whether the account had no stored followers before this run, so that there is nothing to compare
    /// with.
    pub(super) first_load: bool,
    /// Whether no crawl of the account was ever completed.
    pub(super) never_completed: bool,
    /// Whether to fetch every profile.
    pub(super) full: bool,
    /// Whether the account was bound to another Open Platform account. Then all unionids change, and a
    /// changed unionid is not a conflict.
    pub(super) rebound: bool,
    /// Selects the known followers to refresh tonight.
    pub(super) window: Window,
    /// Openids that are already quarantined. They are requested separately, because one bad openid
    /// fails a whole batch.
    pub(super) quarantined: std::collections::HashSet<String>,
    pub(super) unionids: Unionids,
    pub(super) refusals: Refusals,
}

/// Whether the account's profiles contain unionids at all. They do not if the account is not bound to
/// an Open Platform account, and then a second request for each profile would cost one call per
/// follower.
#[derive(Debug, Default)]
pub(super) struct Unionids {
    seen: AtomicBool,
    retries: AtomicU32,
}

/// How many profiles without a unionid are requested again before the first unionid was seen.
const MAX_RETRIES_UNSEEN: u32 = 3;

impl Unionids {
    pub(super) fn record_seen(&self) {
        self.seen.store(true, Ordering::Relaxed);
    }

    pub(super) fn are_seen(&self) -> bool {
        self.seen.load(Ordering::Relaxed)
    }

    /// Whether to request a profile without a unionid again. Before the first unionid was seen, each
    /// call uses up one of [`MAX_RETRIES_UNSEEN`] retries.
    pub(super) fn take_retry(&self) -> bool {
        self.are_seen() || self.retries.fetch_add(1, Ordering::Relaxed) < MAX_RETRIES_UNSEEN
    }
}

/// Counts the requested openids and those that WeChat refused. A high share means that the token and
/// the openids belong to different accounts; then no follower should be quarantined.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    requested: AtomicU32,
    refused: AtomicU32,
}

/// Up to this many refusals, their share is not significant.
const MAX_INSIGNIFICANT_REFUSALS: u32 = 100;

impl Refusals {
    pub(super) fn record_requested(&self, openids: usize) {
        self.requested.fetch_add(openids as u32, Ordering::Relaxed);
    }

    /// Counts a refusal. Returns whether there are now too many.
    pub(super) fn record_refused(&self) -> bool {
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        refused > MAX_INSIGNIFICANT_REFUSALS && refused > self.requested.load(Ordering::Relaxed) / 5
    }
}

/// Crawls from the checkpoint to the end of the list and commits each page.
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
    let mut pages = profiles::spawn(crawl.clone(), planned);
    loop {
        let page = tokio::select! {
            biased;
            () = crawl.job.stop.cancelled() => return Err(Error::Stopped),
            () = lease.lost().cancelled() => {
                return Err(Error::LeaseLost(record.run.appid.clone()));
            }
            page = pages.next() => page.ok_or(Error::StageGone)??,
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
