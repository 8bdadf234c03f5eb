//! How a run stops: completed by its sweep, held for an operator, paused until a later time, or failed.

use chrono::{DateTime, Duration, Utc};

use super::retry::with_retry;
use super::sweep::{Departures, sweep};
use super::{Error, Job, Outcome};
use crate::error_chain::error_chain;
use crate::model::{Run, RunState};
use crate::store::runs::{self, Record};
use crate::store::{self, followers};
use crate::wechat::{self, Class};

/// The bounds of a run's pause after WeChat or the database was unreachable.
const MIN_PAUSE: Duration = Duration::minutes(5);
const MAX_PAUSE: Duration = Duration::minutes(60);

/// Sweeps the account and completes the run.
pub(super) async fn complete(
    job: &Job,
    record: &mut Record,
    departures: &Departures,
) -> Result<(), Error> {
    let mut completed = record.clone();
    completed.run.state = RunState::Succeeded;
    completed.run.error = None;
    *record = sweep(job, &completed, departures).await?;
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

/// Holds the run, so that an operator decides about the sweep.
pub(super) async fn hold(job: &Job, record: &mut Record, reason: String) -> Result<(), Error> {
    let (id, store) = (record.run.id, job.store.for_rows(record.total_last));
    let count = || followers::count_without_unionid(store.reader(), job.account);
    let mut held = record.clone();
    held.run.counts.missing_unionid = with_retry(job, count).await?;
    held.run.state = RunState::Held;
    held.run.error = Some(format!(
        "{reason}; no follower was marked as having left: if they did leave, run \
         `unionid-bridge runs confirm {id}`"
    ));
    tracing::warn!(app.id = %record.run.appid, sync.run = id, doubt = reason, "the sweep is held");
    if !with_retry(job, || runs::save(job.store.writer(), &held)).await? {
        return Err(Error::LeaseLost(record.run.appid.clone()));
    }
    *record = held;
    Ok(())
}

/// Pauses the run or marks it as failed, and saves that in its row if the database is available.
///
/// # Errors
/// [`Error::LeaseLost`] if another process has taken over the run. Its row is then left unchanged.
pub(super) async fn stop(job: &Job, record: Record, error: Error) -> Result<Outcome, Error> {
    if let Error::LeaseLost(_) = error {
        return Err(error);
    }
    let run = match save_stop(job, &record, &error).await {
        Ok(Some(run)) if !run.state.is_open() && run.state != RunState::Failed => {
            return Ok(Outcome { run, error: None });
        }
        Ok(Some(run)) => run,
        Ok(None) => return Err(Error::LeaseLost(record.run.appid)),
        // The row still says `running`; once the lease is free, any process may resume the run.
        Err(unsaved) => {
            tracing::warn!(
                sync.run = record.run.id, error = %unsaved,
                "could not save that the follower sync stopped"
            );
            let at = record.run.started_at;
            with_error(&error, record.run, at)
        }
    };
    tracing::warn!(
        app.id = %run.appid,
        sync.run = run.id,
        sync.state = %run.state,
        error = error_chain(&error),
        hint = error.hint(),
        "follower sync stopped"
    );
    Ok(Outcome { run, error: Some(error) })
}

/// Saves in the run's row that the run stopped. Returns the run as saved, or `None` if another process
/// has taken over the run; then the checkpoint is left unchanged too.
///
/// Starts from the stored row and not from `record`, because a commit whose answer was lost may have
/// succeeded. If that was the run's last commit, the run has ended and the row is left unchanged.
async fn save_stop(job: &Job, record: &Record, error: &Error) -> Result<Option<Run>, store::Error> {
    let transaction = job.store.begin().await?;
    let row = runs::lock(&transaction, record.run.id).await?;
    let Some(mut stored) = row.filter(|row| row.fence == record.fence) else { return Ok(None) };
    if !stored.run.state.is_open() {
        return Ok(Some(stored.run));
    }
    let now = store::now(&transaction).await?;
    let now = DateTime::from_timestamp_millis(now).unwrap_or(stored.run.started_at);
    stored.run.seconds = record.run.seconds;
    stored.run.calls.clone_from(&record.run.calls);
    // A rebound may have been detected before the first page was committed.
    stored.run.mode = record.run.mode;
    stored.run.warning.clone_from(&record.run.warning);
    stored.run = with_error(error, stored.run, now);
    if !runs::save(&transaction, &stored).await? {
        return Ok(None);
    }
    if stored.run.state == RunState::Failed {
        runs::delete_pages(&transaction, stored.run.id).await?;
    }
    transaction.commit().await?;
    Ok(Some(stored.run))
}

/// Returns the run as paused or failed, depending on the error.
fn with_error(error: &Error, mut run: Run, now: DateTime<Utc>) -> Run {
    match resume_at(error, run.started_at, now) {
        Some(resume_at) => {
            run.state = RunState::Paused;
            run.resume_at = Some(resume_at);
        }
        None => {
            run.state = RunState::Failed;
            run.finished_at = Some(now);
        }
    }
    run.error = Some(error_chain(error));
    run
}

/// Returns when a stopped run may resume by itself, or `None` if it may not.
fn resume_at(
    error: &Error,
    started_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    match error {
        Error::Stopped => Some(now),
        Error::Store(error) if error.is_passing() => Some(now + pause(started_at, now)),
        _ => match error.wechat()?.class() {
            Class::Quota => Some(wechat::next_renewal(now)),
            // An undecodable answer usually comes from a gateway and not from WeChat.
            Class::Transient | Class::RateLimited | Class::Token | Class::Undecodable => {
                Some(now + pause(started_at, now))
            }
            _ => None,
        },
    }
}

/// Returns how long the run pauses. The pause grows with the age of the run, so that an outage of hours
/// does not use up the day's calls.
fn pause(started_at: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    ((now - started_at) / 4).clamp(MIN_PAUSE, MAX_PAUSE)
}

/// Creates the unionid index, which a first load defers to its end. Lookups need it even if the run
/// failed.
pub(super) async fn ensure_unionid_index(job: &Job) {
    if let Err(error) = followers::ensure_unionid_index(&job.store).await {
        tracing::warn!(%error, "could not create the unionid index; the next run tries again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn pauses_grow_with_the_length_of_an_outage() {
        let began = at("2026-03-01T19:00:00Z");
        let pause_after = |minutes| pause(began, began + Duration::minutes(minutes));
        assert_eq!(pause_after(1), MIN_PAUSE);
        assert_eq!(pause_after(60), Duration::minutes(15));
        assert_eq!(pause_after(24 * 60), MAX_PAUSE);
    }
}
