//! How a run ends: swept and done, held for an operator, paused until something passes, or failed.

use chrono::{DateTime, Duration, Utc};

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

/// Leaves the sweep to an operator.
pub(super) async fn hold(job: &Job, record: &mut Record, doubt: String) -> Result<(), Error> {
    let id = record.run.id;
    record.run.state = RunState::Held;
    record.run.error =
        Some(format!("{doubt}; nobody was marked. If that is right: runs confirm {id}"));
    let store = job.store.for_rows(record.total_last);
    let missing = followers::count_without_unionid(store.reader(), job.account).await?;
    record.run.counts.missing_unionid = missing;
    tracing::warn!(app.id = %record.run.appid, sync.run = id, doubt, "the sweep is held");
    if !runs::save(job.store.writer(), record).await? {
        return Err(Error::LeaseLost(record.run.appid.clone()));
    }
    Ok(())
}

/// Pauses or fails the run, and says so in its row as far as the database lets us.
///
/// # Errors
/// Where the run is another process's by now: its row is left alone.
pub(super) async fn stopped(job: &Job, mut record: Record, error: Error) -> Result<Outcome, Error> {
    if let Error::LeaseLost(_) = error {
        return Err(error);
    }
    if let Some(run) = find_ended(job, &record, &error).await {
        return Ok(Outcome { run, error: None });
    }
    let now = job.store.now().await.ok().and_then(DateTime::from_timestamp_millis);
    let now = now.unwrap_or(record.run.started_at);
    match resume_at(&error, record.run.started_at, now) {
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
    match save_stopped(job, &record).await {
        Ok(true) => {}
        Ok(false) => return Err(Error::LeaseLost(record.run.appid)),
        // The row still says running; once the lease is free, anybody resumes it.
        Err(unsaved) => {
            tracing::warn!(sync.run = record.run.id, error = %unsaved, "could not note that it stopped");
        }
    }
    tracing::warn!(
        app.id = %record.run.appid,
        sync.run = record.run.id,
        sync.state = %record.run.state,
        error = error.explained(),
        hint = error.hint(),
        "follower sync stopped"
    );
    Ok(Outcome { run: record.run, error: Some(error) })
}

/// The run, where the database committed its end and only the answer was lost.
async fn find_ended(job: &Job, record: &Record, error: &Error) -> Option<Run> {
    let Error::Store(_) = error else { return None };
    let found = runs::find(job.store.writer(), record.run.id).await.ok()??;
    let is_over = matches!(found.run.state, RunState::Succeeded | RunState::Held);
    (is_over && found.fence == record.fence).then_some(found.run)
}

/// `false` where the run is not ours any more; then its checkpoint is not touched either.
async fn save_stopped(job: &Job, record: &Record) -> Result<bool, store::Error> {
    let transaction = job.store.begin().await?;
    if !runs::save(&transaction, record).await? {
        return Ok(false);
    }
    if record.run.state == RunState::Failed {
        runs::delete_pages(&transaction, record.run.id).await?;
    }
    transaction.commit().await?;
    Ok(true)
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
