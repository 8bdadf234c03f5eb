//! A run from beginning to end, and what becomes of it when something goes wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, Utc};
use tokio::time::Instant;

use super::crawl::{Crawl, Refusals, crawl};
use super::list::DatabaseClock;
use super::probe::probe;
use super::refresh::Window;
use super::sweep::{Departures, doubt, find_departures, sweep};
use super::{Error, Job, Request, failpoint, settle, start};
use crate::lease::Lease;
use crate::model::{Mode, Run, RunId, RunState, Trigger};
use crate::store::followers::{self, Row};
use crate::store::runs::{self, Record};
use crate::store::{self, accounts, quarantine};
use crate::wechat::Class;

/// How a run ended, or why it has not ended yet.
#[derive(Debug)]
pub struct Outcome {
    /// The run.
    pub run: Run,
    /// What stopped it; absent where it succeeded or is held.
    pub error: Option<Error>,
}

/// How long a run waits after WeChat or the database was away.
const SHORT_PAUSE: Duration = Duration::from_secs(5 * 60);

/// Syncs the account once: resumes an open run, or begins one.
///
/// # Errors
/// Only where there is no run to speak of: another process holds the lease or took it over, the
/// tick was run already, or the database is away. Whatever stops a run is in its outcome.
pub async fn run(job: &Job, request: Request) -> Result<Outcome, Error> {
    let lease = start::acquire_lease(job).await?;
    let outcome = run_under(&lease, job, request).await;
    lease.release().await;
    outcome
}

/// Lets the account's open run go on. `None` where there is none: another process was faster.
///
/// # Errors
/// As for [`run`].
pub async fn resume(job: &Job) -> Result<Option<Outcome>, Error> {
    let lease = start::acquire_lease(job).await?;
    let outcome = resume_under(&lease, job).await;
    lease.release().await;
    outcome
}

async fn resume_under(lease: &Lease, job: &Job) -> Result<Option<Outcome>, Error> {
    if start::find_open(job).await?.is_none() {
        return Ok(None);
    }
    // One too old to go on is replaced by a new one.
    let request =
        Request { trigger: Trigger::CatchUp, scheduled_at: None, full: false, restart: false };
    run_under(lease, job, request).await.map(Some)
}

async fn run_under(lease: &Lease, job: &Job, request: Request) -> Result<Outcome, Error> {
    let mut record = start::resume_or_begin(job, &request, lease).await?;
    let began = Began::now(&record);
    let outcome = match work(job, &mut record, lease, &began).await {
        Err(error @ Error::LeaseLost(_)) => return Err(error),
        Ok(()) => Outcome { run: record.run, error: None },
        Err(error) => {
            began.book(job, &mut record);
            stopped(job, record, error).await
        }
    };
    make_index(job).await;
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
    fn now(record: &Record) -> Self {
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
    let committed = runs::list_pages(job.store.reader(), record.run.id).await?;
    let shared = Arc::new(prepare(job, record, began).await?);
    if !record.listed_all {
        crawl(&shared, record, &committed, lease).await?;
    }
    if shared.first_load {
        followers::ensure_unionid_index(&job.store).await?;
        correct_shared_unionids(&shared, record).await?;
    }
    failpoint!("sync.listed");
    let departures = match shared.first_load {
        // Nobody was known before.
        true => Departures::default(),
        false => find_departures(job, record).await?,
    };
    began.book(job, record);
    let stored = followers::count_subscribed(job.store.reader(), job.account).await?;
    match doubt(record, &departures, stored, job.settings.max_unfollow_ratio)? {
        Some(doubt) => hold(job, record, doubt).await,
        None => conclude(job, record, &departures).await,
    }
}

/// Probes the account and gathers what the stages share.
async fn prepare(job: &Job, record: &mut Record, began: &Began) -> Result<Crawl, Error> {
    let (store, account) = (&job.store, job.account);
    let started_at = record.run.started_at.timestamp_millis();
    let first_load = !followers::exists_before(store.reader(), account, started_at).await?;
    if first_load && record.run.counts.pages == 0 {
        followers::defer_unionid_index(store).await?;
    }
    let probe = probe(job).await?;
    // Once resumed, the handful may be of those who are up to date already.
    let rebound = probe.rebound || record.run.warning.as_deref() == Some(REBOUND);
    if rebound {
        record.run.mode = Mode::Full;
        record.run.warning = Some(REBOUND.to_owned());
        tracing::warn!(app.id = %record.run.appid, sync.run = record.run.id, "{REBOUND}");
    }
    let crawled_at = accounts::find_crawled_at(store.reader(), account).await?;
    let now = store.now().await?;
    Ok(Crawl {
        job: job.clone(),
        clock: DatabaseClock::starting_at(now),
        began: began.clone(),
        first_load,
        full: record.run.mode == Mode::Full,
        rebound,
        window: Window::new(job.settings.refresh_after_days, crawled_at, now),
        quarantined: quarantine::list(store.reader(), account).await?,
        unionids: probe.unionids,
        refusals: Refusals::default(),
    })
}

const REBOUND: &str = "known followers have other unionids now: the account was bound to another \
                       Open Platform account, so everybody is asked again";

/// The first load looks nobody up, so it checks at its end that no two followers share a unionid.
async fn correct_shared_unionids(crawl: &Crawl, record: &mut Record) -> Result<(), Error> {
    let (store, account) = (&crawl.job.store, crawl.job.account);
    let sharing = followers::list_sharing_a_unionid(store.reader(), account).await?;
    let (mut rows, mut without) = (Vec::new(), Vec::new());
    for openid in sharing {
        match settle::ask_again(crawl, record.run.counts.pages, &openid).await? {
            Some(profile) if profile.unionid.is_some() => {
                rows.push(Row { profile, unionid_absent: false });
            }
            _ => without.push(openid),
        }
    }
    if rows.is_empty() && without.is_empty() {
        return Ok(());
    }
    record.run.counts.upserted += (rows.len() + without.len()) as u64;
    let transaction = store.begin().await?;
    followers::upsert(&transaction, account, &rows, crawl.clock.now_ms()).await?;
    followers::clear_unionids(&transaction, account, &without).await?;
    Ok(transaction.commit().await.map_err(store::Error::from)?)
}

/// Sweeps and ends a run.
async fn conclude(job: &Job, record: &mut Record, departures: &Departures) -> Result<(), Error> {
    let mut done = record.clone();
    done.run.state = RunState::Succeeded;
    done.run.error = None;
    done.run.finished_at = DateTime::from_timestamp_millis(job.store.now().await?);
    sweep(job, &mut done, departures).await?;
    *record = done;
    tracing::info!(
        app.id = %record.run.appid,
        sync.run = record.run.id,
        sync.listed = record.run.counts.listed,
        sync.fetched = record.run.counts.fetched,
        sync.unfollowed = record.run.counts.unfollowed,
        sync.seconds = record.run.seconds,
        "follower sync done"
    );
    Ok(())
}

async fn hold(job: &Job, record: &mut Record, doubt: String) -> Result<(), Error> {
    let id = record.run.id;
    record.run.state = RunState::Held;
    record.run.error =
        Some(format!("{doubt}; nobody was marked. If that is right: runs confirm {id}"));
    let missing = followers::count_without_unionid(job.store.reader(), job.account).await?;
    record.run.counts.missing_unionid = missing;
    tracing::warn!(app.id = %record.run.appid, sync.run = id, doubt, "the sweep is held");
    if !runs::save(job.store.writer(), record).await? {
        return Err(Error::LeaseLost(record.run.appid.clone()));
    }
    Ok(())
}

/// Pauses or fails the run, and says so in its row as far as the database lets us.
async fn stopped(job: &Job, mut record: Record, error: Error) -> Outcome {
    let now = job.store.now().await.ok().and_then(DateTime::from_timestamp_millis);
    let now = now.unwrap_or(record.run.started_at);
    match resume_at(&error, now) {
        Some(resume_at) => {
            record.run.state = RunState::Paused;
            record.run.resume_at = Some(resume_at);
        }
        None => {
            record.run.state = RunState::Failed;
            record.run.finished_at = Some(now);
        }
    }
    record.run.error = Some(error.explained());
    tracing::warn!(
        app.id = %record.run.appid,
        sync.run = record.run.id,
        sync.state = %record.run.state,
        error = error.explained(),
        "follower sync stopped"
    );
    if let Err(unsaved) = save_stopped(job, &record).await {
        // The row still says running; once the lease is free, anybody resumes it.
        tracing::warn!(sync.run = record.run.id, error = %unsaved, "could not note that it stopped");
    }
    Outcome { run: record.run, error: Some(error) }
}

async fn save_stopped(job: &Job, record: &Record) -> Result<(), store::Error> {
    let transaction = job.store.begin().await?;
    if record.run.state == RunState::Failed {
        runs::delete_pages(&transaction, record.run.id).await?;
    }
    runs::save(&transaction, record).await?;
    Ok(transaction.commit().await?)
}

/// When a stopped run may go on by itself; `None` where it may not.
fn resume_at(error: &Error, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match error {
        Error::Stopped => Some(now),
        Error::Store(error) if error.is_passing() => Some(now + SHORT_PAUSE),
        _ => match error.wechat()?.class() {
            Class::Quota => Some(next_midnight_in_china(now)),
            // An answer that cannot be read is as a rule a gateway's page in place of WeChat's.
            Class::Transient | Class::RateLimited | Class::Token | Class::Undecodable => {
                Some(now + SHORT_PAUSE)
            }
            _ => None,
        },
    }
}

/// WeChat's daily allowances are renewed at midnight, UTC+8.
fn next_midnight_in_china(now: DateTime<Utc>) -> DateTime<Utc> {
    const OFFSET_SECONDS: i32 = 8 * 60 * 60;
    let Some(offset) = FixedOffset::east_opt(OFFSET_SECONDS) else { return now };
    let tomorrow = now.with_timezone(&offset).date_naive() + chrono::Days::new(1);
    let midnight = tomorrow.and_time(chrono::NaiveTime::MIN).and_local_timezone(offset);
    midnight.earliest().map_or(now, |midnight| midnight.to_utc())
}

/// The first load leaves the index by unionid to its end; look-ups need it whatever the end is.
async fn make_index(job: &Job) {
    if let Err(error) = followers::ensure_unionid_index(&job.store).await {
        tracing::warn!(%error, "could not make the index by unionid; the next run will");
    }
}

/// Lets a held run sweep.
pub async fn confirm(job: &Job, id: RunId) -> Result<Outcome, Error> {
    let lease = start::acquire_lease(job).await?;
    let outcome = confirm_under(&lease, job, id).await;
    lease.release().await;
    outcome
}

async fn confirm_under(lease: &Lease, job: &Job, id: RunId) -> Result<Outcome, Error> {
    let mut record = in_state(job, id, &[RunState::Held], "held").await?;
    start::take_over(job, lease, &mut record).await?;
    let began = Began::now(&record);
    let departures = find_departures(job, &record).await?;
    began.book(job, &mut record);
    conclude(job, &mut record, &departures).await?;
    Ok(Outcome { run: record.run, error: None })
}

/// Ends an open or held run for good.
pub async fn cancel(job: &Job, id: RunId) -> Result<Run, Error> {
    let lease = start::acquire_lease(job).await?;
    let run = cancel_under(&lease, job, id).await;
    lease.release().await;
    run
}

async fn cancel_under(lease: &Lease, job: &Job, id: RunId) -> Result<Run, Error> {
    let states = [RunState::Running, RunState::Paused, RunState::Held];
    let record = in_state(job, id, &states, "running, paused or held").await?;
    start::cancel(job, lease, record, "cancelled by an operator").await?;
    let record = runs::find(job.store.reader(), id).await?;
    record.map(|record| record.run).ok_or(Error::StageGone)
}

async fn in_state(
    job: &Job,
    id: RunId,
    states: &[RunState],
    needed: &'static str,
) -> Result<Record, Error> {
    match runs::find(job.store.reader(), id).await? {
        Some(record) if states.contains(&record.run.state) => Ok(record),
        Some(record) => Err(Error::NotInState { id, state: record.run.state, needed }),
        None => Err(Error::StageGone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spent_quota_is_renewed_at_midnight_in_china() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let morning_in_china = at("2026-03-01T23:30:00Z");
        assert_eq!(next_midnight_in_china(morning_in_china), at("2026-03-02T16:00:00Z"));
        let a_minute_before = at("2026-03-01T15:59:00Z");
        assert_eq!(next_midnight_in_china(a_minute_before), at("2026-03-01T16:00:00Z"));
    }
}
