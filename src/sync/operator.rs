//! What an operator decides about a run: to let it sweep, or to end it.

use super::run::Began;
use super::sweep::find_departures;
use super::{Error, Job, Outcome, finish, start};
use crate::lease::Lease;
use crate::model::{Run, RunId, RunState};
use crate::store::runs::{self, Record};

/// Lets a held run sweep.
///
/// # Errors
/// Where the run is not held, or a newer one has crawled the account since.
pub async fn confirm(job: &Job, id: RunId) -> Result<Outcome, Error> {
    let lease = start::acquire_lease(job, None).await?;
    let outcome = confirm_under(&lease, job, id).await;
    lease.release().await;
    outcome
}

async fn confirm_under(lease: &Lease, job: &Job, id: RunId) -> Result<Outcome, Error> {
    let mut record = taken_in_state(lease, job, id, &[RunState::Held], "held").await?;
    if runs::exists_newer(job.store.reader(), job.account, id).await? {
        return Err(Error::Outdated(id));
    }
    let began = Began::now(&record);
    let departures = find_departures(job, &record).await?;
    began.book(job, &mut record);
    finish::conclude(job, &mut record, &departures).await?;
    Ok(Outcome { run: record.run, error: None })
}

/// Ends an open or held run for good.
///
/// # Errors
/// Where another process is working on it, or it has ended already.
pub async fn cancel(job: &Job, id: RunId) -> Result<Run, Error> {
    let lease = start::acquire_lease(job, None).await?;
    let run = cancel_under(&lease, job, id).await;
    lease.release().await;
    run
}

async fn cancel_under(lease: &Lease, job: &Job, id: RunId) -> Result<Run, Error> {
    let states = [RunState::Running, RunState::Paused, RunState::Held];
    let record = taken_in_state(lease, job, id, &states, "running, paused or held").await?;
    start::cancel(job, record, "cancelled by an operator").await?;
    let record = runs::find(job.store.reader(), id).await?;
    record.map(|record| record.run).ok_or(Error::NoSuchRun(id))
}

async fn taken_in_state(
    lease: &Lease,
    job: &Job,
    id: RunId,
    states: &[RunState],
    needed: &'static str,
) -> Result<Record, Error> {
    let found = runs::find(job.store.reader(), id).await?.ok_or(Error::NoSuchRun(id))?;
    let in_state = |state| match states.contains(&state) {
        true => Ok(()),
        false => Err(Error::NotInState { id, state, needed }),
    };
    in_state(found.run.state)?;
    let record = start::take_over(job, lease, id).await?;
    in_state(record.run.state)?;
    Ok(record)
}
