//! The current time as an argument: the system clock in production, a manual clock in tests.
//!
//! Use `tokio::time::Instant` to measure durations. Use the database's clock for everything on which
//! replicas must agree (leases, ticks of the schedule, ages of tokens), because their own clocks differ.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

/// A clock. Clones of a manual clock share its time.
#[derive(Debug, Clone, Default)]
pub struct Clock(Source);

#[derive(Debug, Clone, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// Returns the system clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// Creates a manual clock, which stands at `start` until it is advanced.
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.timestamp_millis()))))
    }

    /// Returns the current time. A manual clock has millisecond precision.
    #[expect(clippy::disallowed_methods, reason = "the only place that reads the system clock")]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System => Utc::now(),
            Source::Manual(millis) => {
                DateTime::from_timestamp_millis(millis.load(Ordering::SeqCst)).unwrap_or_default()
            }
        }
    }

    /// Returns the time of a manual clock, which overrides the database's clock in tests. Returns `None`
    /// for the system clock.
    pub fn manual_time(&self) -> Option<DateTime<Utc>> {
        matches!(self.0, Source::Manual(_)).then(|| self.now())
    }

    /// Moves a manual clock forward. Does nothing for the system clock.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(millis) = &self.0 {
            millis.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
        }
    }
}

/// A reading of the database's clock, extrapolated by this process's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseClock {
    read_ms: i64,
    read_at: Instant,
}

impl DatabaseClock {
    /// Creates a clock whose current time is `now_ms`, in ms since 1970.
    pub fn from_reading(now_ms: i64) -> Self {
        Self { read_ms: now_ms, read_at: Instant::now() }
    }

    /// Returns the time of the reading, in ms since 1970.
    pub fn read_ms(&self) -> i64 {
        self.read_ms
    }

    /// Returns the current time, in ms since 1970.
    pub fn now_ms(&self) -> i64 {
        self.read_ms.saturating_add(self.age().as_millis() as i64)
    }

    /// Returns the instant at which this clock reaches `moment_ms` (ms since 1970), but no earlier than
    /// the reading.
    pub fn instant_of(&self, moment_ms: i64) -> Instant {
        let ahead = u64::try_from(moment_ms.saturating_sub(self.read_ms)).unwrap_or_default();
        self.read_at + Duration::from_millis(ahead)
    }

    /// Returns the time since the reading.
    pub fn age(&self) -> Duration {
        self.read_at.elapsed()
    }
}
