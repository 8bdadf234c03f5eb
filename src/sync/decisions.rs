//! An operator's decisions about a run: to confirm its sweep, or to cancel it.

use super::recheck::recheck;
use super::run::{Usage, record_unconfirmed, unless_stopped};
use super::sweep::find_departures;
use super::{Error, Job, Outcome, finish, start};
use crate::lease::Lease;
use crate::model::{Run, RunId, RunState};
use crate::store::runs::{self, Record};

/// Confirms the sweep of a held run and completes the run.
///
/// # Errors
/// Fails if the run is not held, or if a newer run has crawled the account.
pub async fn confirm(job: &Job, id: RunId) -> Result<Outcome, Error> {
    let lease = start::acquire_lease(job, None).await?;
    let outcome = confirm_under(&lease, job, id).await;
    lease.release().await;
    outcome
}

async fn confirm_under(lease: &Lease, job: &Job, id: RunId) -> Result<Outcome, Error> {
    let mut record = take_over_in_state(lease, job, id, &[RunState::Held], "held").await?;
    if runs::exists_newer(job.store.reader(), job.account, id).await? {
        return Err(Error::Outdated(id));
    }
    let usage = Usage::of(&record);
    let departures = find_departures(job, &record).await?;
    let unlisted = departures.ids.len();
    let departures = unless_stopped(job, lease, recheck(job, departures)).await?;
    record_unconfirmed(&mut record, unlisted - departures.ids.len());
    usage.update(job, &mut record);
    finish::complete(job, &mut record, &departures).await?;
    Ok(Outcome { run: record.run, error: None })
}

/// Cancels an open or held run.
///
/// # Errors
/// Fails if another process is working on the run, or if the run has already ended.
pub async fn cancel(job: &Job, id: RunId) -> Result<Run, Error> {
    let lease = start::acquire_lease(job, None).await?;
    let run = cancel_under(&lease, job, id).await;
    lease.release().await;
    run
}

async fn cancel_under(lease: &Lease, job: &Job, id: RunId) -> Result<Run, Error> {
    let states = [RunState::Running, RunState::Paused, RunState::Held];
    let record = take_over_in_state(lease, job, id, &states, "running, paused or held").await?;
    start::cancel(job, record, "cancelled by an operator").await?;
    let record = runs::find(job.store.reader(), id).await?;
    record.map(|record| record.run).ok_or(Error::NoSuchRun(id))
}

/// Takes over a run that is in one of `states`, both before and after the takeover.
async fn take_over_in_state(
    lease: &Lease,
    job: &Job,
    id: RunId,
    states: &[RunState],
    needed: &'static str,
) -> Result<Record, Error> {
    let found = runs::find(job.store.reader(), id).await?.ok_or(Error::NoSuchRun(id))?;
    let check_state = |state| match states.contains(&state) {
        true => Ok(()),
        false => Err(Error::NotInState { id, state, needed }),
    };
    check_state(found.run.state)?;
    let record = start::take_over(job, lease, id).await?;
    check_state(record.run.state)?;
    Ok(record)
}
