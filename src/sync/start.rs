//! The start of a run: acquires the lease, then resumes the open run or begins a new one.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::retry::with_retry;
use super::run::REBOUND;
use super::{Error, Job, Request};
use crate::lease::Lease;
use crate::model::{AppId, Mode, RunId, RunState};
use crate::store::runs::{self, NewRun, Record};
use crate::store::{self, Transaction, leases};

/// An interrupted run older than this is cancelled instead of resumed: its first pages are outdated. An
/// account whose list exceeds the daily quota of 500 pages needs several days, 50,000,000 followers ten.
const MAX_RESUMABLE_AGE: chrono::Duration = chrono::Duration::days(14);

const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Acquires the account's lease. Waits for a lease whose holder died to expire, and fails if the
/// lease is being renewed, because then another process is at work. Also fails if `tick` already has
/// a run: should that run's process die, the scheduler resumes it.
pub(super) async fn acquire_lease(job: &Job, tick: Option<DateTime<Utc>>) -> Result<Lease, Error> {
    let name = lease_name(job.wechat.appid());
    let life = job.settings.lease_duration;
    let deadline = Instant::now() + life + POLL_INTERVAL * 4;
    let mut last_expiry = None;
    loop {
        if let Some(lease) = Lease::try_acquire(&job.store, &name, &job.holder, life).await? {
            return Ok(lease);
        }
        if let Some(tick) = tick.map(|tick| tick.timestamp_millis())
            && runs::exists_for_ticks(job.store.reader(), job.account, tick..=tick).await?
        {
            return Err(Error::TickTaken(job.wechat.appid().clone()));
        }
        let expires_at = leases::find_expiry(job.store.reader(), &name).await?;
        let is_renewed = last_expiry.is_some_and(|before| expires_at > before);
        if is_renewed || Instant::now() > deadline {
            return Err(Error::LeaseHeld(job.wechat.appid().clone()));
        }
        if last_expiry.replace(expires_at).is_none() {
            tracing::info!(
                app.id = %job.wechat.appid(),
                "waiting for another process's lease to expire"
            );
        }
        tokio::select! {
            () = job.stop.cancelled() => return Err(Error::Stopped),
            () = tokio::time::sleep(POLL_INTERVAL) => {}
        }
    }
}

/// Acquires the account's lease if it is free.
pub(super) async fn try_lease(job: &Job) -> Result<Lease, Error> {
    let (appid, life) = (job.wechat.appid(), job.settings.lease_duration);
    let lease = Lease::try_acquire(&job.store, &lease_name(appid), &job.holder, life).await?;
    lease.ok_or_else(|| Error::LeaseHeld(appid.clone()))
}

/// Returns the name of the lease that guards the account's sync.
pub fn lease_name(appid: &AppId) -> String {
    format!("sync:{appid}")
}

/// Resumes the account's open run under the lease, or begins a new one. `scheduled_for` is the time
/// for which the scheduler requests the run. It is `None` for a manual request, which resumes a paused
/// run immediately.
pub(super) async fn resume_or_begin(
    job: &Job,
    request: &Request,
    lease: &Lease,
    scheduled_for: Option<DateTime<Utc>>,
) -> Result<Record, Error> {
    if let Some(found) = find_open(job).await? {
        let record = take_over(job, lease, found.run.id).await?;
        let paused_until = record.run.resume_at.filter(|_| record.run.state.is_open());
        if paused_until.zip(scheduled_for).is_some_and(|(until, time)| until > time) {
            return Err(Error::TickTaken(record.run.appid));
        }
        match reason_not_to_resume(job, request, &record).await? {
            None => return resume(job, request, record).await,
            Some(reason) if record.run.state.is_open() => cancel(job, record, reason).await?,
            // The previous holder ended the run just before the takeover.
            Some(_) => {}
        }
    }
    begin(job, request, lease).await
}

/// Returns the account's running or paused run, if there is one.
pub(super) async fn find_open(job: &Job) -> Result<Option<Record>, Error> {
    let open = [RunState::Running, RunState::Paused];
    Ok(runs::find_latest(job.store.reader(), job.account, &open).await?)
}

async fn reason_not_to_resume(
    job: &Job,
    request: &Request,
    record: &Record,
) -> Result<Option<&'static str>, Error> {
    let now = job.store.now().await?;
    let run = &record.run;
    let age_ms = now - run.started_at.timestamp_millis();
    Ok(if !run.state.is_open() {
        Some("ended")
    } else if request.restart {
        Some("cancelled for a restart")
    } else if request.full && run.mode != Mode::Full && run.counts.pages > 0 {
        Some("cancelled for a full run")
    } else if age_ms >= MAX_RESUMABLE_AGE.num_milliseconds() {
        Some("too old to resume")
    } else {
        None
    })
}

async fn resume(job: &Job, request: &Request, mut record: Record) -> Result<Record, Error> {
    record.run.state = RunState::Running;
    record.run.resume_at = None;
    record.run.error = None;
    record.run.resumed_at_page = Some(record.run.counts.pages + 1);
    // The run covers this tick too, so that no other replica begins a run for it.
    record.run.scheduled_at = record.run.scheduled_at.max(request.scheduled_at);
    if request.full {
        record.run.mode = Mode::Full;
    }
    match runs::save(job.store.writer(), &record).await {
        Ok(true) => {}
        Ok(false) => return Err(Error::LeaseLost(record.run.appid)),
        Err(store::Error::Duplicate(_)) => return Err(Error::TickTaken(record.run.appid)),
        Err(error) => return Err(error.into()),
    }
    tracing::info!(
        app.id = %record.run.appid,
        sync.run = record.run.id,
        sync.page = record.run.counts.pages + 1,
        "resuming the follower sync"
    );
    Ok(record)
}

async fn begin(job: &Job, request: &Request, lease: &Lease) -> Result<Record, Error> {
    let transaction = job.store.begin().await?;
    let started_at = store::now(&transaction).await?;
    // A run that was begun for this tick and resumed at a later tick covers both.
    if let Some(tick) = request.scheduled_at
        && runs::exists_for_ticks(&transaction, job.account, tick.timestamp_millis()..=started_at)
            .await?
    {
        return Err(Error::TickTaken(job.wechat.appid().clone()));
    }
    let rebound = is_rebound_unfinished(&transaction, job).await?;
    let new = NewRun {
        account: job.account,
        trigger: request.trigger,
        mode: if request.full || rebound { Mode::Full } else { Mode::Incremental },
        scheduled_at: request.scheduled_at,
        started_at,
        fence: lease.fence(),
    };
    let id = match runs::insert(&transaction, &new).await {
        Err(store::Error::Duplicate(_)) => {
            return Err(Error::TickTaken(job.wechat.appid().clone()));
        }
        inserted => inserted?,
    };
    // The new crawl has better data on who left than a held run.
    let held = runs::find_latest(&transaction, job.account, &[RunState::Held]).await?;
    if let Some(mut held) = held
        && runs::take_over(&transaction, held.run.id, lease.fence()).await?
    {
        held.fence = lease.fence();
        mark_cancelled(&transaction, held, &format!("replaced by run {id}")).await?;
    }
    let mut record = runs::find(&transaction, id).await?.ok_or(Error::NoSuchRun(id))?;
    if rebound {
        record.run.warning = Some(REBOUND.to_owned());
        runs::save(&transaction, &record).await?;
    }
    transaction.commit().await?;
    tracing::info!(app.id = %record.run.appid, sync.run = id, "follower sync begun");
    Ok(record)
}

/// Whether the account's latest run fetched all profiles because the account was bound to another Open
/// Platform account, and did not complete that.
async fn is_rebound_unfinished(transaction: &Transaction, job: &Job) -> Result<bool, Error> {
    let ended = [RunState::Succeeded, RunState::Held, RunState::Failed, RunState::Cancelled];
    let latest = runs::find_latest(transaction, job.account, &ended).await?;
    Ok(latest.is_some_and(|latest| {
        matches!(latest.run.state, RunState::Failed | RunState::Cancelled)
            && latest.run.warning.as_deref() == Some(REBOUND)
    }))
}

/// Cancels a run that this process has taken over.
pub(super) async fn cancel(job: &Job, record: Record, reason: &str) -> Result<(), Error> {
    let transaction = job.store.begin().await?;
    mark_cancelled(&transaction, record, reason).await?;
    Ok(transaction.commit().await?)
}

async fn mark_cancelled(
    transaction: &Transaction,
    mut record: Record,
    reason: &str,
) -> Result<(), Error> {
    record.run.state = RunState::Cancelled;
    record.run.error = Some(reason.to_owned());
    record.run.resume_at = None;
    let now = store::now(transaction).await?;
    record.run.finished_at = DateTime::from_timestamp_millis(now);
    // The save comes first because it fails if another process has taken over the run.
    if !runs::save(transaction, &record).await? {
        return Err(Error::LeaseLost(record.run.appid));
    }
    Ok(runs::delete_pages(transaction, record.run.id).await?)
}

/// Takes over the run, so that its previous holder can no longer write to it. Then reads the run as
/// that holder left it.
///
/// Retries, because a process that was stopped inside a transaction locks the row until the server
/// ends the transaction.
pub(super) async fn take_over(job: &Job, lease: &Lease, id: RunId) -> Result<Record, Error> {
    let writer = job.store.writer();
    if !with_retry(job, || runs::take_over(writer, id, lease.fence())).await? {
        return Err(Error::LeaseLost(job.wechat.appid().clone()));
    }
    // Uses the writer because a read replica may lag behind.
    with_retry(job, || runs::find(writer, id)).await?.ok_or(Error::NoSuchRun(id))
}
