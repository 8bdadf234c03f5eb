//! Retries database work, so that a database restart costs a run only seconds and no WeChat calls.

use std::time::Duration;

use tokio::time::Instant;

use super::{Error, Job};

/// How long work is retried while the database is unreachable or busy.
const RETRY_TIMEOUT: Duration = Duration::from_mins(2);

/// The first and the longest delay between two attempts. A run resumes within 5 s of the database's
/// return.
const FIRST_DELAY: Duration = Duration::from_millis(200);
const MAX_DELAY: Duration = Duration::from_secs(1);

/// Runs idempotent `work` and retries it after transient database errors, for up to [`RETRY_TIMEOUT`].
pub(super) async fn with_retry<T, E, F>(job: &Job, mut work: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, E>>,
    Error: From<E>,
{
    let (started_at, mut delay) = (Instant::now(), FIRST_DELAY);
    loop {
        let error = match work().await.map_err(Error::from) {
            Err(Error::Store(error))
                if error.passes_soon() && started_at.elapsed() < RETRY_TIMEOUT =>
            {
                error
            }
            result => return result,
        };
        let appid = job.wechat.appid();
        match delay {
            FIRST_DELAY => tracing::warn!(app.id = %appid, %error, "waiting for the database"),
            _ => tracing::debug!(app.id = %appid, %error, "still waiting for the database"),
        }
        tokio::select! {
            () = job.stop.cancelled() => return Err(Error::Stopped),
            () = tokio::time::sleep(delay) => {}
        }
        delay = MAX_DELAY.min(delay * 2);
    }
}
