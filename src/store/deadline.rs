//! Time limits for database work.

use std::time::Duration;

use sea_orm::{ConnAcquireErr, DbErr};
use tokio::time::Instant;

use super::Error;

/// How long a caller waits for the database. WeChat abandons a callback after 5 s, and for other callers
/// a retry is better than a long wait.
pub const DEADLINE: Duration = Duration::from_millis(900);

/// Runs database work and returns its result, or [`Error::TooSlow`] after [`DEADLINE`]. A transaction that
/// is cut off rolls back, unless its commit was already sent.
pub async fn in_time<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    within(DEADLINE, work).await
}

/// Like [`in_time`], with another time limit.
pub async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let too_slow = |_| Error::TooSlow(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout));
    tokio::time::timeout(limit, work).await.map_err(too_slow)?
}

/// A timeout for repeated work that scans tables of unknown size.
///
/// A server that stops responding must be noticed soon, but a large table takes long. So the first attempt
/// has 60 s, and each attempt that times out doubles the limit for the next one.
#[derive(Debug, Clone, Copy)]
pub struct AdaptiveTimeout(Duration);

/// The first and shortest timeout.
const MIN_TIMEOUT: Duration = Duration::from_secs(60);

const MAX_TIMEOUT: Duration = Duration::from_mins(20);

/// After a success the next timeout is the duration of that attempt times this factor.
const MARGIN: u32 = 3;

impl Default for AdaptiveTimeout {
    fn default() -> Self {
        Self(MIN_TIMEOUT)
    }
}

impl AdaptiveTimeout {
    /// Runs the work and returns its result, or [`Error::TooSlow`] after the current timeout. Adapts the
    /// timeout for the next call.
    pub async fn run<T>(
        &mut self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let began = Instant::now();
        let result = within(self.0, work).await;
        let elapsed = began.elapsed();
        if result.is_ok() {
            self.0 = (elapsed * MARGIN).clamp(MIN_TIMEOUT, MAX_TIMEOUT);
        } else if elapsed >= self.0 {
            self.0 = (self.0 * 2).min(MAX_TIMEOUT);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn takes(seconds: u64) -> Result<(), Error> {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn the_timeout_grows_until_a_slow_query_succeeds() {
        let mut timeout = AdaptiveTimeout::default();
        for (seconds, succeeds) in [(60, false), (120, false), (200, true), (200, true)] {
            let began = Instant::now();
            assert_eq!(timeout.run(takes(200)).await.is_ok(), succeeds);
            assert_eq!(began.elapsed(), Duration::from_secs(seconds));
        }
        // The last success took 200 s, so the timeout is now 600 s.
        let began = Instant::now();
        timeout.run(takes(100_000)).await.unwrap_err();
        assert_eq!(began.elapsed(), Duration::from_secs(600));
        timeout.run(takes(1)).await.unwrap();
        assert_eq!(timeout.0, MIN_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn immediate_failures_do_not_raise_the_timeout() {
        let mut timeout = AdaptiveTimeout::default();
        for _ in 0..10 {
            let unreachable = async { Err::<(), _>(Error::unexpected("unreachable")) };
            timeout.run(unreachable).await.unwrap_err();
        }
        assert_eq!(timeout.0, MIN_TIMEOUT);
    }
}
