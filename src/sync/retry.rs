//! Waiting for the database, so that one that is started again costs a run seconds and no call to
//! WeChat.

use std::time::Duration;

use tokio::time::Instant;

use super::{Error, Job};

/// For how long work is tried again while the database is away or busy.
const PATIENCE: Duration = Duration::from_mins(2);

/// The first wait, and the longest between two tries: a run goes on within 5 s of the database's return.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Does work that may be done twice until the database lets it, or has been away for too long.
pub(super) async fn with_retry<T, E, F>(job: &Job, mut work: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, E>>,
    Error: From<E>,
{
    let (began, mut wait) = (Instant::now(), FIRST_WAIT);
    loop {
        let error = match work().await.map_err(Error::from) {
            Err(Error::Store(error)) if error.passes_soon() && began.elapsed() < PATIENCE => error,
            done => return done,
        };
        let appid = job.wechat.appid();
        match wait {
            FIRST_WAIT => tracing::warn!(app.id = %appid, %error, "waiting for the database"),
            _ => tracing::debug!(app.id = %appid, %error, "still waiting for the database"),
        }
        tokio::select! {
            () = job.stop.cancelled() => return Err(Error::Stopped),
            () = tokio::time::sleep(wait) => {}
        }
        wait = LONGEST_WAIT.min(wait * 2);
    }
}
