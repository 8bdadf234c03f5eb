//! A run that is known before it is worked: for who starts one and does not wait for it.

use super::run::work_out;
use super::{Error, Job, Outcome, Request, start};
use crate::lease::Lease;
use crate::model::Run;
use crate::store::runs::Record;

/// A run that was begun, or is about to go on, and holds the account's lease.
pub struct Started {
    lease: Lease,
    record: Record,
    request: Request,
}

/// As [`super::run()`], up to where the run is known; does not wait for another process.
///
/// # Errors
/// As for [`super::run()`].
pub async fn begin(job: &Job, request: Request) -> Result<Started, Error> {
    let lease = start::try_lease(job).await?;
    let begun = start::resume_or_begin(job, &request, &lease, request.scheduled_at).await;
    match begun {
        Ok(record) => Ok(Started { lease, record, request }),
        Err(error) => {
            lease.release().await;
            Err(error)
        }
    }
}

impl Started {
    /// The run as it stands.
    pub fn run(&self) -> &Run {
        &self.record.run
    }

    /// Works it to its outcome.
    ///
    /// # Errors
    /// As for [`super::run()`].
    pub async fn work(self, job: &Job) -> Result<Outcome, Error> {
        let Self { lease, record, request } = self;
        let outcome = work_out(&lease, job, request, request.scheduled_at, record).await;
        lease.release().await;
        outcome
    }
}
