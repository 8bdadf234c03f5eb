//! What time it is, as an argument: the system's clock in service, a clock that tests move.
//!
//! For how long something lasts use `tokio::time::Instant`; what replicas have to agree on (leases, ticks
//! of the schedule, ages of tokens) uses the database's clock, since their own clocks differ.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

/// A clock; clones of one share its time.
#[derive(Debug, Clone, Default)]
pub struct Clock(Source);

#[derive(Debug, Clone, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until it is moved.
    pub fn manual(start: DateTime<Utc>) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.timestamp_millis()))))
    }

    /// The time now, to the millisecond for a manual clock.
    #[expect(clippy::disallowed_methods, reason = "the one home of the system's clock")]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System => Utc::now(),
            Source::Manual(millis) => {
                DateTime::from_timestamp_millis(millis.load(Ordering::SeqCst)).unwrap_or_default()
            }
        }
    }

    /// The time of a manual clock, which a test has every clock agree with; `None` for the system's.
    pub fn manual_time(&self) -> Option<DateTime<Utc>> {
        matches!(self.0, Source::Manual(_)).then(|| self.now())
    }

    /// Moves a manual clock forward; the system's clock is left alone.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(millis) = &self.0 {
            millis.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
        }
    }
}

/// The database's clock as it was read, carried on by our own steady one.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseClock {
    read_ms: i64,
    read_at: Instant,
}

impl DatabaseClock {
    /// A clock that says `now_ms` now, in milliseconds since 1970.
    pub fn saying(now_ms: i64) -> Self {
        Self { read_ms: now_ms, read_at: Instant::now() }
    }

    /// What it said when it was read.
    pub fn read_ms(&self) -> i64 {
        self.read_ms
    }

    /// What it says now, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.read_ms.saturating_add(self.age().as_millis() as i64)
    }

    /// When it will say `moment_ms`; when it was read, where that is past.
    pub fn instant_of(&self, moment_ms: i64) -> Instant {
        let ahead = u64::try_from(moment_ms.saturating_sub(self.read_ms)).unwrap_or_default();
        self.read_at + Duration::from_millis(ahead)
    }

    /// How long ago it was read.
    pub fn age(&self) -> Duration {
        self.read_at.elapsed()
    }
}
