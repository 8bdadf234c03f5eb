//! The entry points for a run. [`run()`] returns once the run has ended or stopped, [`begin`] and
//! [`resume`] as soon as the run is known.

use chrono::{DateTime, Utc};

use super::run::execute;
use super::{Error, Job, Outcome, Request, start};
use crate::lease::Lease;
use crate::model::{Run, Trigger};
use crate::store::runs::Record;

/// A new or resumed run, with the account's lease.
pub struct ActiveRun {
    lease: Lease,
    record: Record,
    request: Request,
    scheduled_for: Option<DateTime<Utc>>,
}

/// Syncs the account once: resumes the open run or begins a new one, and works on it until it ends
/// or stops.
///
/// # Errors
/// Fails only if there is no run to report: another process holds the lease or took over the run, the
/// tick already has a run, the open run is still paused, or the database is unreachable. An error that
/// stops the run is part of its [`Outcome`].
pub async fn run(job: &Job, request: Request) -> Result<Outcome, Error> {
    let lease = start::acquire_lease(job, request.scheduled_at).await?;
    let active = ActiveRun::start(lease, job, request, request.scheduled_at).await?;
    active.work(job).await
}

/// Resumes the open run or begins a new one, without working on it yet. Unlike [`run()`], does not
/// wait for another process's lease to expire.
///
/// # Errors
/// See [`run()`].
pub async fn begin(job: &Job, request: Request) -> Result<ActiveRun, Error> {
    let lease = start::try_lease(job).await?;
    ActiveRun::start(lease, job, request, request.scheduled_at).await
}

/// Resumes the account's open run, unless the run is paused beyond `now`. Returns `None` if there is no
/// open run, because another process was faster.
///
/// # Errors
/// See [`run()`].
pub async fn resume(job: &Job, now: DateTime<Utc>) -> Result<Option<ActiveRun>, Error> {
    let lease = start::try_lease(job).await?;
    match start::find_open(job).await {
        Ok(Some(_)) => {}
        other => {
            lease.release().await;
            return other.map(|_| None);
        }
    }
    // Used if the open run is too old: a new run replaces it.
    let request =
        Request { trigger: Trigger::CatchUp, scheduled_at: None, full: false, restart: false };
    ActiveRun::start(lease, job, request, Some(now)).await.map(Some)
}

impl ActiveRun {
    /// Resumes or begins a run under the lease. Releases the lease on failure.
    async fn start(
        lease: Lease,
        job: &Job,
        request: Request,
        scheduled_for: Option<DateTime<Utc>>,
    ) -> Result<Self, Error> {
        match start::resume_or_begin(job, &request, &lease, scheduled_for).await {
            Ok(record) => Ok(Self { lease, record, request, scheduled_for }),
            Err(error) => {
                lease.release().await;
                Err(error)
            }
        }
    }

    /// Returns the run in its current state.
    pub fn run(&self) -> &Run {
        &self.record.run
    }

    /// Works on the run until it ends or stops, then releases the lease.
    ///
    /// # Errors
    /// See [`run()`].
    pub async fn work(self, job: &Job) -> Result<Outcome, Error> {
        let Self { lease, record, request, scheduled_for } = self;
        let outcome = execute(&lease, job, request, scheduled_for, record).await;
        lease.release().await;
        outcome
    }
}
