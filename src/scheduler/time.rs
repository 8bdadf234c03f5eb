//! What time it is for every replica: the database's, whatever this machine's clock says.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::clock::DatabaseClock;
use crate::store;

/// How long the database's clock is carried on before it is read again.
const READ_EVERY: Duration = Duration::from_secs(5);

/// The time as it was read last.
#[derive(Debug, Default)]
pub(super) struct Time(Option<DatabaseClock>);

impl Time {
    /// What time it is. While the database does not tell, the time is carried on.
    ///
    /// # Errors
    /// Where it never told.
    pub(super) async fn now(&mut self, app: &App) -> Result<DateTime<Utc>, store::Error> {
        if let Some(now) = app.clock.manual_time() {
            return Ok(now);
        }
        let clock = match self.0 {
            Some(clock) if clock.age() < READ_EVERY => clock,
            before => match (app.store.now().await, before) {
                (Ok(now_ms), _) => DatabaseClock::saying(now_ms),
                (Err(_), Some(before)) => before,
                (Err(error), None) => return Err(error),
            },
        };
        self.0 = Some(clock);
        Ok(DateTime::from_timestamp_millis(clock.now_ms()).unwrap_or_default())
    }
}
