//! The ways into a run: waiting for it to end, or only until it is known.

use chrono::{DateTime, Utc};

use super::run::work_out;
use super::{Error, Job, Outcome, Request, start};
use crate::lease::Lease;
use crate::model::{Run, Trigger};
use crate::store::runs::Record;

/// A run that was begun, or is about to go on, and holds the account's lease.
pub struct ActiveRun {
    lease: Lease,
    record: Record,
    request: Request,
    asked_at: Option<DateTime<Utc>>,
}

/// Syncs the account once: resumes an open run, or begins one.
///
/// # Errors
/// Only where there is no run to speak of: another process holds the lease or took it over, the
/// tick was run already or its run waits, or the database is away. Whatever stops a run is in its
/// outcome.
pub async fn run(job: &Job, request: Request) -> Result<Outcome, Error> {
    let lease = start::acquire_lease(job, request.scheduled_at).await?;
    let started = ActiveRun::under(lease, job, request, request.scheduled_at).await?;
    started.work(job).await
}

/// As [`run()`], up to where the run is known; does not wait for another process.
///
/// # Errors
/// As for [`run()`].
pub async fn begin(job: &Job, request: Request) -> Result<ActiveRun, Error> {
    let lease = start::try_lease(job).await?;
    ActiveRun::under(lease, job, request, request.scheduled_at).await
}

/// As [`begin`], of the account's open run, if at `now` it need not wait any more. `None` where there
/// is none: another process was faster.
///
/// # Errors
/// As for [`run()`].
pub async fn resume(job: &Job, now: DateTime<Utc>) -> Result<Option<ActiveRun>, Error> {
    let lease = start::try_lease(job).await?;
    match start::find_open(job).await {
        Ok(Some(_)) => {}
        other => {
            lease.release().await;
            return other.map(|_| None);
        }
    }
    // One too old to go on is replaced by a new one.
    let request =
        Request { trigger: Trigger::CatchUp, scheduled_at: None, full: false, restart: false };
    ActiveRun::under(lease, job, request, Some(now)).await.map(Some)
}

impl ActiveRun {
    /// Resumes or begins under the lease, which is given up where that fails.
    async fn under(
        lease: Lease,
        job: &Job,
        request: Request,
        asked_at: Option<DateTime<Utc>>,
    ) -> Result<Self, Error> {
        match start::resume_or_begin(job, &request, &lease, asked_at).await {
            Ok(record) => Ok(Self { lease, record, request, asked_at }),
            Err(error) => {
                lease.release().await;
                Err(error)
            }
        }
    }

    /// The run as it stands.
    pub fn run(&self) -> &Run {
        &self.record.run
    }

    /// Works it to its outcome.
    ///
    /// # Errors
    /// As for [`run()`].
    pub async fn work(self, job: &Job) -> Result<Outcome, Error> {
        let Self { lease, record, request, asked_at } = self;
        let outcome = work_out(&lease, job, request, asked_at, record).await;
        lease.release().await;
        outcome
    }
}
