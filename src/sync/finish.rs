//! How a run ends: swept and done, held for an operator, paused until something passes, or failed.

use chrono::{DateTime, Duration, Utc};

use super::retry::with_retry;
use super::sweep::{Departures, sweep};
use super::{Error, Job, Outcome};
use crate::model::{Run, RunState};
use crate::store::runs::{self, Record};
use crate::store::{self, followers};
use crate::wechat::{self, Class};

/// How long a run waits after WeChat or the database was away, at first and at most.
const SHORTEST_PAUSE: Duration = Duration::minutes(5);
const LONGEST_PAUSE: Duration = Duration::minutes(60);

/// Sweeps and ends a run.
pub(super) async fn conclude(
    job: &Job,
    record: &mut Record,
    departures: &Departures,
) -> Result<(), Error> {
    let mut done = record.clone();
    done.run.state = RunState::Succeeded;
    done.run.error = None;
    *record = sweep(job, &done, departures).await?;
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

/// Leaves the sweep to an operator.
pub(super) async fn hold(job: &Job, record: &mut Record, doubt: String) -> Result<(), Error> {
    let (id, store) = (record.run.id, job.store.for_rows(record.total_last));
    let count = || followers::count_without_unionid(store.reader(), job.account);
    let mut held = record.clone();
    held.run.counts.missing_unionid = with_retry(job, count).await?;
    held.run.state = RunState::Held;
    held.run.error =
        Some(format!("{doubt}; nobody was marked. If that is right: runs confirm {id}"));
    tracing::warn!(app.id = %record.run.appid, sync.run = id, doubt, "the sweep is held");
    if !with_retry(job, || runs::save(job.store.writer(), &held)).await? {
        return Err(Error::LeaseLost(record.run.appid.clone()));
    }
    *record = held;
    Ok(())
}

/// Pauses or fails the run, and says so in its row as far as the database lets us.
///
/// # Errors
/// Where the run is another process's by now: its row is left alone.
pub(super) async fn stopped(job: &Job, record: Record, error: Error) -> Result<Outcome, Error> {
    if let Error::LeaseLost(_) = error {
        return Err(error);
    }
    let run = match save_stopped(job, &record, &error).await {
        Ok(Some(run)) if !run.state.is_open() && run.state != RunState::Failed => {
            return Ok(Outcome { run, error: None });
        }
        Ok(Some(run)) => run,
        Ok(None) => return Err(Error::LeaseLost(record.run.appid)),
        // The row still says running; once the lease is free, anybody resumes it.
        Err(unsaved) => {
            tracing::warn!(sync.run = record.run.id, error = %unsaved, "could not note that it stopped");
            let at = record.run.started_at;
            stopped_by(&error, record.run, at)
        }
    };
    tracing::warn!(
        app.id = %run.appid,
        sync.run = run.id,
        sync.state = %run.state,
        error = error.explained(),
        hint = error.hint(),
        "follower sync stopped"
    );
    Ok(Outcome { run, error: Some(error) })
}

/// Notes in the run's row that it stopped, and returns the run as it stands then. `None` where it is not
/// ours any more; then its checkpoint is not touched either.
///
/// The row knows better than we do how far the run is: a commit whose answer was lost may have gone
/// through. If it was the run's last one, the run has ended and nothing is noted.
async fn save_stopped(
    job: &Job,
    record: &Record,
    error: &Error,
) -> Result<Option<Run>, store::Error> {
    let transaction = job.store.begin().await?;
    let kept = runs::lock(&transaction, record.run.id).await?;
    let Some(mut kept) = kept.filter(|kept| kept.fence == record.fence) else { return Ok(None) };
    if !kept.run.state.is_open() {
        return Ok(Some(kept.run));
    }
    let now = store::now(&transaction).await?;
    let now = DateTime::from_timestamp_millis(now).unwrap_or(kept.run.started_at);
    kept.run.seconds = record.run.seconds;
    kept.run.calls.clone_from(&record.run.calls);
    // A run that was found to be rebound before its first page.
    kept.run.mode = record.run.mode;
    kept.run.warning.clone_from(&record.run.warning);
    kept.run = stopped_by(error, kept.run, now);
    if !runs::save(&transaction, &kept).await? {
        return Ok(None);
    }
    if kept.run.state == RunState::Failed {
        runs::delete_pages(&transaction, kept.run.id).await?;
    }
    transaction.commit().await?;
    Ok(Some(kept.run))
}

/// The run, paused or failed.
fn stopped_by(error: &Error, mut run: Run, now: DateTime<Utc>) -> Run {
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
    run.error = Some(error.explained());
    run
}

/// When a stopped run may go on by itself; `None` where it may not.
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
            // An answer that cannot be read is as a rule a gateway's page in place of WeChat's.
            Class::Transient | Class::RateLimited | Class::Token | Class::Undecodable => {
                Some(now + pause(started_at, now))
            }
            _ => None,
        },
    }
}

/// Longer the longer it has been going on, so that an outage of hours does not use up the day's
/// calls.
fn pause(started_at: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    ((now - started_at) / 4).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}

/// The first load leaves the index by unionid to its end; look-ups need it whatever the end is.
pub(super) async fn make_index(job: &Job) {
    if let Err(error) = followers::ensure_unionid_index(&job.store).await {
        tracing::warn!(%error, "could not make the index by unionid; the next run will");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_longer_an_outage_lasts_the_longer_the_pauses() {
        let began = at("2026-03-01T19:00:00Z");
        let pause_after = |minutes| pause(began, began + Duration::minutes(minutes));
        assert_eq!(pause_after(1), SHORTEST_PAUSE);
        assert_eq!(pause_after(60), Duration::minutes(15));
        assert_eq!(pause_after(24 * 60), LONGEST_PAUSE);
    }
}
