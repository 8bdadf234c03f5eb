//! The database's clock between two readings, for moments that all processes have to agree on.

use std::time::Duration;

use tokio::time::Instant;

/// The database's clock, going on from one reading.
#[derive(Debug, Clone, Copy)]
pub(in crate::push) struct Watch {
    read: i64,
    at: Instant,
}

impl Watch {
    /// Set by what the clock showed just now.
    pub(in crate::push) fn set(now: i64) -> Self {
        Self { read: now, at: Instant::now() }
    }

    /// What it was set to.
    pub(in crate::push) fn read(self) -> i64 {
        self.read
    }

    /// What it shows now.
    pub(in crate::push) fn now(self) -> i64 {
        self.read.saturating_add(self.at.elapsed().as_millis() as i64)
    }

    /// When it will show `moment`, or showed it.
    pub(in crate::push) fn instant_of(self, moment: i64) -> Instant {
        let ahead = u64::try_from(moment - self.read).unwrap_or_default();
        self.at + Duration::from_millis(ahead)
    }
}
