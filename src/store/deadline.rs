//! How long callers wait for the database.

use std::time::Duration;

use sea_orm::{ConnAcquireErr, DbErr};
use tokio::time::Instant;

use super::Error;

/// How long a caller waits for the database: WeChat gives up on a callback
/// after 5 s, and a caller would rather try again.
pub const DEADLINE: Duration = Duration::from_millis(900);

/// The outcome of work on the database, or [`Error::TooSlow`] after [`DEADLINE`]. A transaction that is
/// cut off is undone, unless its commit was on its way.
pub async fn in_time<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    within(DEADLINE, work).await
}

/// The same with another patience.
pub async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let too_slow = |_| Error::TooSlow(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout));
    tokio::time::timeout(patience, work).await.map_err(too_slow)?
}

/// Patience with work that walks tables whose size nobody knows, done again and again.
///
/// A server that fell silent has to be noticed soon, and a large table takes long. So the first attempt has
/// a minute; whenever that is not enough, the next one has twice as long.
#[derive(Debug, Clone, Copy)]
pub struct AdaptiveTimeout(Duration);

/// At first and at least, and at most.
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_mins(20);

/// After a success the next attempt may take so many times as long.
const MARGIN: u32 = 3;

impl Default for AdaptiveTimeout {
    fn default() -> Self {
        Self(SHORTEST)
    }
}

impl AdaptiveTimeout {
    /// The outcome of the work, or [`Error::TooSlow`] once patience ends.
    pub async fn keep<T>(
        &mut self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let began = Instant::now();
        let done = within(self.0, work).await;
        let took = began.elapsed();
        if done.is_ok() {
            self.0 = (took * MARGIN).clamp(SHORTEST, LONGEST);
        } else if took >= self.0 {
            self.0 = (self.0 * 2).min(LONGEST);
        }
        done
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
    async fn a_silent_server_is_noticed_soon_and_a_large_table_counted_in_the_end() {
        let mut patience = AdaptiveTimeout::default();
        for (has, succeeds) in [(60, false), (120, false), (200, true), (200, true)] {
            let began = Instant::now();
            assert_eq!(patience.keep(takes(200)).await.is_ok(), succeeds);
            assert_eq!(began.elapsed(), Duration::from_secs(has));
        }
        // The next loss is noticed by what the work took.
        let began = Instant::now();
        patience.keep(takes(100_000)).await.unwrap_err();
        assert_eq!(began.elapsed(), Duration::from_secs(600));
        patience.keep(takes(1)).await.unwrap();
        assert_eq!(patience.0, SHORTEST);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_that_fails_at_once_makes_nobody_more_patient() {
        let mut patience = AdaptiveTimeout::default();
        for _ in 0..10 {
            let away = async { Err::<(), _>(Error::unexpected("away")) };
            patience.keep(away).await.unwrap_err();
        }
        assert_eq!(patience.0, SHORTEST);
    }
}
