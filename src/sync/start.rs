//! The beginning of a run: the lease, and the run that is resumed or begun.

use std::time::Duration;

use tokio::time::Instant;

use super::{Error, Job, Request};
use crate::lease::Lease;
use crate::model::{AppId, Mode, RunState};
use crate::store::runs::{self, NewRun, Record};
use crate::store::{self, leases};

/// An interrupted run older than this is given up: its first pages are no longer true.
const OLDEST_RESUMED: chrono::Duration = chrono::Duration::hours(48);

const POLL: Duration = Duration::from_millis(250);

/// Takes the account's lease. A lease whose holder died is waited for; one that is being renewed
/// is another process at work.
pub(super) async fn acquire_lease(job: &Job) -> Result<Lease, Error> {
    let name = lease_name(job.wechat.appid());
    let life = job.settings.lease_life;
    let deadline = Instant::now() + life + POLL * 4;
    let mut expiry = None;
    loop {
        if let Some(lease) = Lease::try_acquire(&job.store, &name, &job.holder, life).await? {
            return Ok(lease);
        }
        let expires_at = leases::find_expiry(job.store.reader(), &name).await?;
        let is_renewed = expiry.is_some_and(|before| expires_at > before);
        if is_renewed || Instant::now() > deadline || job.stop.is_cancelled() {
            return Err(Error::LeaseHeld(job.wechat.appid().clone()));
        }
        expiry = Some(expires_at);
        tokio::time::sleep(POLL).await;
    }
}

/// The lease under which the account is synced.
pub fn lease_name(appid: &AppId) -> String {
    format!("sync:{appid}")
}

/// Resumes the account's open run under the lease, or begins one.
pub(super) async fn resume_or_begin(
    job: &Job,
    request: &Request,
    lease: &Lease,
) -> Result<Record, Error> {
    if let Some(record) = find_open(job).await? {
        let now = job.store.now().await?;
        let age_ms = now - record.run.started_at.timestamp_millis();
        if !request.restart && age_ms < OLDEST_RESUMED.num_milliseconds() {
            return resume(job, request, lease, record).await;
        }
        let why = if request.restart { "given up for a restart" } else { "too old to be resumed" };
        cancel(job, lease, record, why).await?;
    }
    begin(job, request, lease).await
}

/// The account's run that can go on, if there is one.
pub(super) async fn find_open(job: &Job) -> Result<Option<Record>, Error> {
    let open = [RunState::Running, RunState::Paused];
    Ok(runs::find_latest(job.store.reader(), job.account, &open).await?)
}

async fn resume(
    job: &Job,
    request: &Request,
    lease: &Lease,
    mut record: Record,
) -> Result<Record, Error> {
    take_over(job, lease, &mut record).await?;
    record.run.state = RunState::Running;
    record.run.resume_at = None;
    record.run.error = None;
    record.run.resumed_at_page = Some(record.run.counts.pages + 1);
    // The run answers this tick too: no other replica begins one for it.
    record.run.scheduled_at = request.scheduled_at.or(record.run.scheduled_at);
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
    let new = NewRun {
        account: job.account,
        trigger: request.trigger,
        mode: if request.full { Mode::Full } else { Mode::Incremental },
        scheduled_at: request.scheduled_at,
        started_at: store::now(&transaction).await?,
        fence: lease.fence(),
    };
    let id = match runs::insert(&transaction, &new).await {
        Err(store::Error::Duplicate(_)) => {
            return Err(Error::TickTaken(job.wechat.appid().clone()));
        }
        inserted => inserted?,
    };
    let record = runs::find(&transaction, id).await?.ok_or(Error::StageGone)?;
    transaction.commit().await.map_err(store::Error::from)?;
    supersede_held(job, lease, id).await?;
    tracing::info!(app.id = %record.run.appid, sync.run = id, "follower sync begun");
    Ok(record)
}

/// A newer crawl says more about who left than one that waits to be confirmed.
async fn supersede_held(job: &Job, lease: &Lease, by: i64) -> Result<(), Error> {
    let held = runs::find_latest(job.store.reader(), job.account, &[RunState::Held]).await?;
    match held {
        Some(record) => cancel(job, lease, record, &format!("replaced by run {by}")).await,
        None => Ok(()),
    }
}

/// Ends a run that will not go on.
pub(super) async fn cancel(
    job: &Job,
    lease: &Lease,
    mut record: Record,
    why: &str,
) -> Result<(), Error> {
    take_over(job, lease, &mut record).await?;
    let transaction = job.store.begin().await?;
    record.run.state = RunState::Cancelled;
    record.run.error = Some(why.to_owned());
    record.run.resume_at = None;
    let now = store::now(&transaction).await?;
    record.run.finished_at = chrono::DateTime::from_timestamp_millis(now);
    runs::delete_pages(&transaction, record.run.id).await?;
    runs::save(&transaction, &record).await?;
    Ok(transaction.commit().await.map_err(store::Error::from)?)
}

/// Makes the run ours: whoever wrote it before can write it no more.
pub(super) async fn take_over(job: &Job, lease: &Lease, record: &mut Record) -> Result<(), Error> {
    if !runs::take_over(job.store.writer(), record.run.id, lease.fence()).await? {
        return Err(Error::LeaseLost(record.run.appid.clone()));
    }
    record.fence = lease.fence();
    Ok(())
}
