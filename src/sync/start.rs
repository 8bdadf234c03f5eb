//! The beginning of a run: the lease, and the run that is resumed or begun.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::retry::with_retry;
use super::{Error, Job, Request};
use crate::lease::Lease;
use crate::model::{AppId, Mode, RunId, RunState};
use crate::store::runs::{self, NewRun, Record};
use crate::store::{self, Transaction, leases};

/// An interrupted run older than this is given up: its first pages are no longer true.
const OLDEST_RESUMED: chrono::Duration = chrono::Duration::hours(48);

const POLL: Duration = Duration::from_millis(250);

/// Takes the account's lease. A lease whose holder died is waited for; one that is being renewed
/// is another process at work. Nobody waits for a tick that has a run: should its process die, the
/// schedule has it go on.
pub(super) async fn acquire_lease(job: &Job, tick: Option<DateTime<Utc>>) -> Result<Lease, Error> {
    let name = lease_name(job.wechat.appid());
    let life = job.settings.lease_life;
    let deadline = Instant::now() + life + POLL * 4;
    let mut expiry = None;
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
        let is_renewed = expiry.is_some_and(|before| expires_at > before);
        if is_renewed || Instant::now() > deadline {
            return Err(Error::LeaseHeld(job.wechat.appid().clone()));
        }
        if expiry.replace(expires_at).is_none() {
            tracing::info!(app.id = %job.wechat.appid(), "waiting for another process's lease to end");
        }
        tokio::select! {
            () = job.stop.cancelled() => return Err(Error::Stopped),
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// Takes the account's lease if nobody holds it.
pub(super) async fn try_lease(job: &Job) -> Result<Lease, Error> {
    let (appid, life) = (job.wechat.appid(), job.settings.lease_life);
    let lease = Lease::try_acquire(&job.store, &lease_name(appid), &job.holder, life).await?;
    lease.ok_or_else(|| Error::LeaseHeld(appid.clone()))
}

/// The lease under which the account is synced.
pub fn lease_name(appid: &AppId) -> String {
    format!("sync:{appid}")
}

/// Resumes the account's open run under the lease, or begins one. `asked_at` is when the schedule
/// asks; a person asks for it now, whatever the run waits for.
pub(super) async fn resume_or_begin(
    job: &Job,
    request: &Request,
    lease: &Lease,
    asked_at: Option<DateTime<Utc>>,
) -> Result<Record, Error> {
    if let Some(found) = find_open(job).await? {
        let record = take_over(job, lease, found.run.id).await?;
        let waits_until = record.run.resume_at.filter(|_| record.run.state.is_open());
        if waits_until.zip(asked_at).is_some_and(|(until, asked_at)| until > asked_at) {
            return Err(Error::TickTaken(record.run.appid));
        }
        match why_not_resumed(job, request, &record).await? {
            None => return resume(job, request, record).await,
            Some(why) if record.run.state.is_open() => cancel(job, record, why).await?,
            // Its former holder ended it at the last moment.
            Some(_) => {}
        }
    }
    begin(job, request, lease).await
}

/// The account's run that can go on, if there is one.
pub(super) async fn find_open(job: &Job) -> Result<Option<Record>, Error> {
    let open = [RunState::Running, RunState::Paused];
    Ok(runs::find_latest(job.store.reader(), job.account, &open).await?)
}

async fn why_not_resumed(
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
        Some("given up for a restart")
    } else if request.full && run.mode != Mode::Full && run.counts.pages > 0 {
        Some("given up to ask everybody")
    } else if age_ms >= OLDEST_RESUMED.num_milliseconds() {
        Some("too old to be resumed")
    } else {
        None
    })
}

async fn resume(job: &Job, request: &Request, mut record: Record) -> Result<Record, Error> {
    record.run.state = RunState::Running;
    record.run.resume_at = None;
    record.run.error = None;
    record.run.resumed_at_page = Some(record.run.counts.pages + 1);
    // The run answers this tick too: no other replica begins one for it.
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
    // A run that was begun for this tick and resumed at a later one answers both.
    if let Some(tick) = request.scheduled_at
        && runs::exists_for_ticks(&transaction, job.account, tick.timestamp_millis()..=started_at)
            .await?
    {
        return Err(Error::TickTaken(job.wechat.appid().clone()));
    }
    let new = NewRun {
        account: job.account,
        trigger: request.trigger,
        mode: if request.full { Mode::Full } else { Mode::Incremental },
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
    // A newer crawl says more about who left than one that waits to be confirmed.
    let held = runs::find_latest(&transaction, job.account, &[RunState::Held]).await?;
    if let Some(mut held) = held
        && runs::take_over(&transaction, held.run.id, lease.fence()).await?
    {
        held.fence = lease.fence();
        end(&transaction, held, &format!("replaced by run {id}")).await?;
    }
    let record = runs::find(&transaction, id).await?.ok_or(Error::NoSuchRun(id))?;
    transaction.commit().await?;
    tracing::info!(app.id = %record.run.appid, sync.run = id, "follower sync begun");
    Ok(record)
}

/// Ends a run of ours that will not go on.
pub(super) async fn cancel(job: &Job, record: Record, why: &str) -> Result<(), Error> {
    let transaction = job.store.begin().await?;
    end(&transaction, record, why).await?;
    Ok(transaction.commit().await?)
}

async fn end(transaction: &Transaction, mut record: Record, why: &str) -> Result<(), Error> {
    record.run.state = RunState::Cancelled;
    record.run.error = Some(why.to_owned());
    record.run.resume_at = None;
    let now = store::now(transaction).await?;
    record.run.finished_at = DateTime::from_timestamp_millis(now);
    // First, since it fails for a run that is no longer ours.
    if !runs::save(transaction, &record).await? {
        return Err(Error::LeaseLost(record.run.appid));
    }
    Ok(runs::delete_pages(transaction, record.run.id).await?)
}

/// Makes the run ours: whoever wrote it before can write it no more. What it has become by then is
/// read only afterwards.
///
/// Patiently, since a process that was stopped in a transaction keeps the row until the server ends that.
pub(super) async fn take_over(job: &Job, lease: &Lease, id: RunId) -> Result<Record, Error> {
    let writer = job.store.writer();
    if !with_retry(job, || runs::take_over(writer, id, lease.fence())).await? {
        return Err(Error::LeaseLost(job.wechat.appid().clone()));
    }
    // By the writer: a replica of the database that reads come from may be behind.
    with_retry(job, || runs::find(writer, id)).await?.ok_or(Error::NoSuchRun(id))
}
