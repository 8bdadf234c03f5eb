//! The scheduler's time: the database's time, which is the same for every replica.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::clock::DatabaseClock;
use crate::store;

/// How often the database's clock is read. In between, the time is extrapolated.
const READ_INTERVAL: Duration = Duration::from_secs(5);

/// The latest reading of the database's clock.
#[derive(Debug, Default)]
pub(super) struct Time(Option<DatabaseClock>);

impl Time {
    /// Returns the current database time. While the database is unreachable, extrapolates from the
    /// latest reading.
    ///
    /// # Errors
    /// Fails if the clock could not be read and has never been read before.
    pub(super) async fn now(&mut self, app: &App) -> Result<DateTime<Utc>, store::Error> {
        if let Some(now) = app.clock.manual_time() {
            return Ok(now);
        }
        let clock = match self.0 {
            Some(clock) if clock.age() < READ_INTERVAL => clock,
            before => match (app.store.now().await, before) {
                (Ok(now_ms), _) => DatabaseClock::from_reading(now_ms),
                (Err(_), Some(before)) => before,
                (Err(error), None) => return Err(error),
            },
        };
        self.0 = Some(clock);
        Ok(DateTime::from_timestamp_millis(clock.now_ms()).unwrap_or_default())
    }
}
