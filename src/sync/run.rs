//! The execution of a run, from start to end.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::crawl::{Crawl, Refusals, Unionids, crawl};
use super::erased::allowed_rows;
use super::probe::probe;
use super::recheck::recheck;
use super::refresh::Window;
use super::retry::with_retry;
use super::sweep::{Departures, find_departures, reason_to_hold};
use super::{Error, Job, Request, finish, profiles, start};
use crate::clock::DatabaseClock;
use crate::failpoint::failpoint;
use crate::lease::Lease;
use crate::model::{Follower, Mode, OpenId, Run};
use crate::store::followers::{self, Row};
use crate::store::runs::{self, Record};
use crate::store::{accounts, erasures, quarantine};

/// The state of a run after this process worked on it.
#[derive(Debug)]
pub struct Outcome {
    /// The run.
    pub run: Run,
    /// The error that stopped the run; `None` if the run succeeded or is held.
    pub error: Option<Error>,
}

/// Works on a run that this process has taken over, until the run ends or stops.
pub(super) async fn execute(
    lease: &Lease,
    job: &Job,
    request: Request,
    scheduled_for: Option<DateTime<Utc>>,
    mut record: Record,
) -> Result<Outcome, Error> {
    let mut usage = Usage::of(&record);
    let mut result = work(job, &mut record, lease, &usage).await;
    if let Err(Error::RestartNeeded(_)) = result {
        start::cancel(job, record, REBOUND).await?;
        let request = Request { full: true, scheduled_at: None, ..request };
        record = start::resume_or_begin(job, &request, lease, scheduled_for).await?;
        usage = Usage::of(&record);
        result = work(job, &mut record, lease, &usage).await;
    }
    let outcome = match result {
        Ok(()) => Outcome { run: record.run, error: None },
        Err(error) => {
            usage.update(job, &mut record);
            finish::stop(job, record, error).await?
        }
    };
    finish::ensure_unionid_index(job).await;
    Ok(outcome)
}

/// The time and the calls that a run used before this process started to work on it.
#[derive(Debug, Clone)]
pub(super) struct Usage {
    started_at: Instant,
    seconds: f64,
    calls: BTreeMap<String, u64>,
}

impl Usage {
    pub(super) fn of(record: &Record) -> Self {
        let run = &record.run;
        Self { started_at: Instant::now(), seconds: run.seconds, calls: run.calls.clone() }
    }

    /// Returns an empty usage, for a dry run.
    pub(super) fn none() -> Self {
        Self { started_at: Instant::now(), seconds: 0.0, calls: BTreeMap::new() }
    }

    /// Sets the record's seconds and calls to the earlier usage plus the usage since.
    pub(super) fn update(&self, job: &Job, record: &mut Record) {
        record.run.seconds = self.seconds + self.started_at.elapsed().as_secs_f64();
        record.run.calls.clone_from(&self.calls);
        for (call, count) in job.wechat.calls() {
            *record.run.calls.entry(call).or_default() += count;
        }
    }
}

async fn work(job: &Job, record: &mut Record, lease: &Lease, usage: &Usage) -> Result<(), Error> {
    let list = || runs::list_pages(job.store.reader(), record.run.id);
    let committed = with_retry(job, list).await?;
    let prepare = || unless_stopped(job, lease, prepare(job, record, usage));
    let prepared = with_retry(job, prepare).await?;
    if prepared.rebound {
        record_rebound(record);
    }
    let shared = Arc::new(prepared);
    if !record.listed_all {
        crawl(&shared, record, &committed, lease).await?;
    }
    if shared.never_completed {
        followers::ensure_unionid_index(&job.store).await?;
        let check = check_shared_unionids(&shared, record.total_last);
        let corrections = unless_stopped(job, lease, check).await?;
        correct_shared_unionids(&shared, record, corrections).await?;
    }
    failpoint!("sync.listed");
    let departures = match shared.first_load {
        // No follower was stored before.
        true => Departures::default(),
        false => with_retry(job, || find_departures(job, record)).await?,
    };
    let stored = with_retry(job, || count_stored(job, record)).await?;
    let max_ratio = job.settings.max_unfollow_ratio;
    if let Some(reason) = reason_to_hold(record, &departures, stored, max_ratio)? {
        usage.update(job, record);
        return finish::hold(job, record, reason).await;
    }
    let unlisted = departures.ids.len();
    let departures = unless_stopped(job, lease, recheck(job, departures)).await?;
    record_unconfirmed(record, unlisted - departures.ids.len());
    usage.update(job, record);
    finish::complete(job, record, &departures).await
}

/// Adds a warning if followers were missing from the list but not confirmed as having left.
pub(super) fn record_unconfirmed(record: &mut Record, unconfirmed: u64) {
    if unconfirmed == 0 {
        return;
    }
    let warning = format!(
        "{unconfirmed} followers were missing from WeChat's list, but their profiles do not confirm that they \
         left; new followers may be missing too, and the next run lists everybody again"
    );
    tracing::warn!(app.id = %record.run.appid, sync.run = record.run.id, "{warning}");
    record.run.warning.get_or_insert(warning);
}

/// Counts the account's stored followers before the sweep. Erased users are included, because WeChat
/// still lists them.
async fn count_stored(job: &Job, record: &Record) -> Result<u64, Error> {
    let store = job.store.for_rows(record.total_last);
    let stored = followers::count_subscribed(store.reader(), job.account).await?;
    Ok(stored + erasures::count(store.reader(), job.account).await?)
}

/// Runs `work` until the process shuts down or loses the lease. The work may call WeChat but must not
/// write anything, because it can be dropped at any point.
pub(super) async fn unless_stopped<T>(
    job: &Job,
    lease: &Lease,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::select! {
        biased;
        () = job.stop.cancelled() => Err(Error::Stopped),
        () = lease.lost().cancelled() => Err(Error::LeaseLost(job.wechat.appid().clone())),
        done = work => done,
    }
}

/// Loads what the stages share, then probes the account. The database comes first, because a database
/// error repeats the whole function and would repeat the WeChat calls too.
async fn prepare(job: &Job, record: &Record, usage: &Usage) -> Result<Crawl, Error> {
    let mut crawl = load(job, record, usage).await?;
    let probe = probe(job).await?;
    // After a resume the sample may consist of followers that this run has already updated.
    let was_rebound = record.run.warning.as_deref() == Some(REBOUND);
    if probe.rebound && !was_rebound && record.run.counts.pages > 0 {
        return Err(Error::RestartNeeded(record.run.id));
    }
    crawl.rebound = probe.rebound || was_rebound;
    crawl.full |= crawl.rebound;
    crawl.unionids = probe.unionids;
    Ok(crawl)
}

async fn load(job: &Job, record: &Record, usage: &Usage) -> Result<Crawl, Error> {
    let (store, account) = (&job.store, job.account);
    let started_at = record.run.started_at.timestamp_millis();
    // This query may scan the rows of other accounts.
    let slow_store = store.for_all_rows();
    let first_load = !followers::exists_before(slow_store.reader(), account, started_at).await?;
    if first_load && record.run.counts.pages == 0 {
        followers::defer_unionid_index(store).await?;
    }
    let crawled_at = accounts::find_crawled_at(store.reader(), account).await?;
    let now = store.now().await?;
    Ok(Crawl {
        job: job.clone(),
        // The database's clock may have been set back since the run started.
        clock: DatabaseClock::from_reading(now.max(started_at)),
        usage: usage.clone(),
        first_load,
        never_completed: crawled_at.is_none(),
        full: record.run.mode == Mode::Full,
        rebound: false,
        window: Window::new(job.settings.refresh_after_days, crawled_at, now),
        quarantined: quarantine::list(store.reader(), account).await?,
        unionids: Unionids::default(),
        refusals: Refusals::default(),
    })
}

/// Makes the run a full run, with the reason as its warning.
fn record_rebound(record: &mut Record) {
    record.run.mode = Mode::Full;
    if record.run.warning.replace(REBOUND.to_owned()).as_deref() != Some(REBOUND) {
        tracing::warn!(app.id = %record.run.appid, sync.run = record.run.id, "{REBOUND}");
    }
}

pub(super) const REBOUND: &str = "the unionids of known followers changed: the account was bound to another \
                       Open Platform account, so all profiles are fetched again";

/// Finds followers that share a unionid and fetches each of their profiles separately. Until the first
/// complete crawl this check is needed at the end, because the pages of a first load are compared with no
/// stored followers. Returns the rows to write and the openids whose unionid to clear: those that have no
/// unionid of their own, while another follower was confirmed to have it.
async fn check_shared_unionids(
    crawl: &Crawl,
    total: u64,
) -> Result<(Vec<Row>, Vec<OpenId>), Error> {
    let (store, account) = (crawl.job.store.for_rows(total), crawl.job.account);
    let (mut rows, mut without) = (Vec::new(), Vec::new());
    for openid in followers::list_sharing_a_unionid(store.reader(), account).await? {
        match profiles::fetch_profile(crawl, &openid).await? {
            Some(profile) if profile.unionid.is_some() => {
                rows.push(Row { profile, unionid_absent: false });
            }
            Some(profile) if profile.subscribed => without.push(openid),
            // A user that left or was refused: the stored unionid may be right.
            _ => {}
        }
    }
    let confirmed: HashSet<_> = rows.iter().filter_map(|row| row.profile.unionid.clone()).collect();
    let stored = followers::list_by_openids(store.reader(), account, &without).await?;
    let is_anothers = |follower: &Follower| {
        follower.unionid.as_ref().is_some_and(|unionid| confirmed.contains(unionid))
    };
    let cleared = stored.into_iter().filter(is_anothers).map(|follower| follower.openid).collect();
    Ok((rows, cleared))
}

async fn correct_shared_unionids(
    crawl: &Crawl,
    record: &mut Record,
    (rows, cleared): (Vec<Row>, Vec<OpenId>),
) -> Result<(), Error> {
    if rows.is_empty() && cleared.is_empty() {
        return Ok(());
    }
    let (store, account) = (&crawl.job.store, crawl.job.account);
    let transaction = store.begin().await?;
    accounts::share(&transaction, account).await?;
    let rows = allowed_rows(&transaction, account, &rows).await?;
    let mut next = record.clone();
    next.run.counts.upserted += (rows.len() + cleared.len()) as u64;
    if !runs::save(&transaction, &next).await? {
        return Err(Error::LeaseLost(record.run.appid.clone()));
    }
    followers::upsert(&transaction, account, &rows, crawl.clock.now_ms()).await?;
    followers::clear_unionids(&transaction, account, &cleared).await?;
    transaction.commit().await?;
    *record = next;
    Ok(())
}
