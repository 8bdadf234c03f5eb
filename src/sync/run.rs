//! A run from beginning to end.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::crawl::{Crawl, Refusals, Unionids, crawl};
use super::erased::allowed_rows;
use super::probe::probe;
use super::refresh::Window;
use super::retry::with_retry;
use super::sweep::{Departures, doubt, find_departures};
use super::{Error, Job, Request, finish, profiles, start};
use crate::clock::DatabaseClock;
use crate::failpoint::failpoint;
use crate::lease::Lease;
use crate::model::{Mode, OpenId, Run};
use crate::store::followers::{self, Row};
use crate::store::runs::{self, Record};
use crate::store::{accounts, erasures, quarantine};

/// How a run ended, or why it has not ended yet.
#[derive(Debug)]
pub struct Outcome {
    /// The run.
    pub run: Run,
    /// What stopped it; absent where it succeeded or is held.
    pub error: Option<Error>,
}

/// Works a run of ours until it ends or stops.
pub(super) async fn work_out(
    lease: &Lease,
    job: &Job,
    request: Request,
    asked_at: Option<DateTime<Utc>>,
    mut record: Record,
) -> Result<Outcome, Error> {
    let mut began = Began::now(&record);
    let mut worked = work(job, &mut record, lease, &began).await;
    if let Err(Error::BeginAnew(_)) = worked {
        start::cancel(job, record, REBOUND).await?;
        let anew = Request { full: true, scheduled_at: None, ..request };
        record = start::resume_or_begin(job, &anew, lease, asked_at).await?;
        began = Began::now(&record);
        worked = work(job, &mut record, lease, &began).await;
    }
    let outcome = match worked {
        Ok(()) => Outcome { run: record.run, error: None },
        Err(error) => {
            began.book(job, &mut record);
            finish::stopped(job, record, error).await?
        }
    };
    finish::make_index(job).await;
    Ok(outcome)
}

/// What the run had cost before this start.
#[derive(Debug, Clone)]
pub(super) struct Began {
    at: Instant,
    seconds: f64,
    calls: BTreeMap<String, u64>,
}

impl Began {
    pub(super) fn now(record: &Record) -> Self {
        let run = &record.run;
        Self { at: Instant::now(), seconds: run.seconds, calls: run.calls.clone() }
    }

    /// For a crawl that is no run.
    pub(super) fn nothing() -> Self {
        Self { at: Instant::now(), seconds: 0.0, calls: BTreeMap::new() }
    }

    /// Brings the record's time and calls up to date.
    pub(super) fn book(&self, job: &Job, record: &mut Record) {
        record.run.seconds = self.seconds + self.at.elapsed().as_secs_f64();
        record.run.calls.clone_from(&self.calls);
        for (call, count) in job.wechat.calls() {
            *record.run.calls.entry(call).or_default() += count;
        }
    }
}

async fn work(job: &Job, record: &mut Record, lease: &Lease, began: &Began) -> Result<(), Error> {
    let list = || runs::list_pages(job.store.reader(), record.run.id);
    let committed = with_retry(job, list).await?;
    let prepare = || unless_ended(job, lease, prepare(job, record, began));
    let prepared = with_retry(job, prepare).await?;
    if prepared.rebound {
        note_rebound(record);
    }
    let shared = Arc::new(prepared);
    if !record.listed_all {
        crawl(&shared, record, &committed, lease).await?;
    }
    if shared.first_load {
        followers::ensure_unionid_index(&job.store).await?;
        let told = unless_ended(job, lease, ask_sharing(&shared, record.total_last)).await?;
        correct_sharing(&shared, record, told).await?;
    }
    failpoint!("sync.listed");
    let departures = match shared.first_load {
        // Nobody was known before.
        true => Departures::default(),
        false => with_retry(job, || find_departures(job, record)).await?,
    };
    began.book(job, record);
    let stored = with_retry(job, || count_stored(job, record)).await?;
    match doubt(record, &departures, stored, job.settings.max_unfollow_ratio)? {
        Some(doubt) => finish::hold(job, record, doubt).await,
        None => finish::conclude(job, record, &departures).await,
    }
}

/// The account's followers before the sweep, and who was erased: they are listed as before.
async fn count_stored(job: &Job, record: &Record) -> Result<u64, Error> {
    let store = job.store.for_rows(record.total_last);
    let stored = followers::count_subscribed(store.reader(), job.account).await?;
    Ok(stored + erasures::count(store.reader(), job.account).await?)
}

/// Work that asks WeChat and writes nothing: given up when the process is asked to end, or when
/// another has the lease.
pub(super) async fn unless_ended<T>(
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

/// Gathers what the stages share, then probes the account. In this order: while the database is away all
/// of it is done again, and WeChat would be asked again.
async fn prepare(job: &Job, record: &Record, began: &Began) -> Result<Crawl, Error> {
    let mut crawl = gather(job, record, began).await?;
    let probe = probe(job).await?;
    // Once resumed, the handful may be of those who are up to date already.
    let was_rebound = record.run.warning.as_deref() == Some(REBOUND);
    if probe.rebound && !was_rebound && record.run.counts.pages > 0 {
        return Err(Error::BeginAnew(record.run.id));
    }
    crawl.rebound = probe.rebound || was_rebound;
    crawl.full |= crawl.rebound;
    crawl.unionids = probe.unionids;
    Ok(crawl)
}

async fn gather(job: &Job, record: &Record, began: &Began) -> Result<Crawl, Error> {
    let (store, account) = (&job.store, job.account);
    let started_at = record.run.started_at.timestamp_millis();
    // Past other accounts' rows.
    let whole = store.for_all_rows();
    let first_load = !followers::exists_before(whole.reader(), account, started_at).await?;
    if first_load && record.run.counts.pages == 0 {
        followers::defer_unionid_index(store).await?;
    }
    let crawled_at = accounts::find_crawled_at(store.reader(), account).await?;
    let now = store.now().await?;
    Ok(Crawl {
        job: job.clone(),
        // The database's clock may have been set back since the run was started.
        clock: DatabaseClock::saying(now.max(started_at)),
        began: began.clone(),
        first_load,
        full: record.run.mode == Mode::Full,
        rebound: false,
        window: Window::new(job.settings.refresh_after_days, crawled_at, now),
        quarantined: quarantine::list(store.reader(), account).await?,
        unionids: Unionids::default(),
        refusals: Refusals::default(),
    })
}

/// Says in the run that everybody is asked again, and why.
fn note_rebound(record: &mut Record) {
    record.run.mode = Mode::Full;
    if record.run.warning.replace(REBOUND.to_owned()).as_deref() != Some(REBOUND) {
        tracing::warn!(app.id = %record.run.appid, sync.run = record.run.id, "{REBOUND}");
    }
}

const REBOUND: &str = "known followers have other unionids now: the account was bound to another \
                       Open Platform account, so everybody is asked again";

/// The first load looks nobody up, so it checks at its end that no two followers share a unionid:
/// who does is asked for alone.
async fn ask_sharing(crawl: &Crawl, total: u64) -> Result<(Vec<Row>, Vec<OpenId>), Error> {
    let (store, account) = (crawl.job.store.for_rows(total), crawl.job.account);
    let (mut rows, mut without) = (Vec::new(), Vec::new());
    for openid in followers::list_sharing_a_unionid(store.reader(), account).await? {
        match profiles::ask_again(crawl, 0, &openid).await? {
            Some(profile) if profile.unionid.is_some() => {
                rows.push(Row { profile, unionid_absent: false });
            }
            _ => without.push(openid),
        }
    }
    Ok((rows, without))
}

async fn correct_sharing(
    crawl: &Crawl,
    record: &mut Record,
    (rows, without): (Vec<Row>, Vec<OpenId>),
) -> Result<(), Error> {
    if rows.is_empty() && without.is_empty() {
        return Ok(());
    }
    let (store, account) = (&crawl.job.store, crawl.job.account);
    let transaction = store.begin().await?;
    accounts::share(&transaction, account).await?;
    let rows = allowed_rows(&transaction, account, &rows).await?;
    let mut next = record.clone();
    next.run.counts.upserted += (rows.len() + without.len()) as u64;
    if !runs::save(&transaction, &next).await? {
        return Err(Error::LeaseLost(record.run.appid.clone()));
    }
    followers::upsert(&transaction, account, &rows, crawl.clock.now_ms()).await?;
    followers::clear_unionids(&transaction, account, &without).await?;
    transaction.commit().await?;
    *record = next;
    Ok(())
}
