//! Waiting for the database, so that one that is started again costs a run seconds and no call to
//! WeChat.

use std::time::Duration;

use super::{Error, Job};
use crate::store;

/// How often work is tried while the database is away, waiting a little longer each time: about two
/// minutes in all.
const MOST_TRIES: u32 = 20;

/// The first wait, and the longest between two tries.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Does work that may be done twice until the database lets it, or has been away for too long.
pub(super) async fn patiently<T, E, F>(job: &Job, mut work: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, E>>,
    Error: From<E>,
{
    let mut tries = 0;
    loop {
        tries += 1;
        let error = match work().await.map_err(Error::from) {
            Err(Error::Store(error @ store::Error::Unavailable(_))) if tries < MOST_TRIES => error,
            done => return done,
        };
        tracing::warn!(app.id = %job.wechat.appid(), %error, "waiting for the database");
        let wait = LONGEST_WAIT.min(FIRST_WAIT * 2_u32.pow(tries - 1));
        tokio::select! {
            () = job.stop.cancelled() => return Err(Error::Stopped),
            () = tokio::time::sleep(wait) => {}
        }
    }
}
