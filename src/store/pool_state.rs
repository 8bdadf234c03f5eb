//! The state of a pool: whether statements were recently abandoned, and how many connections are in use.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long after an abandoned statement the pool tests every connection that is returned.
const TEST_PERIOD: Duration = Duration::from_secs(10);

/// When a statement was last abandoned. Its connection may be unusable, and other connections too.
#[derive(Debug, Clone, Default)]
pub(super) struct RecentTimeouts(Arc<Mutex<Option<Instant>>>);

impl RecentTimeouts {
    pub(super) fn record(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a statement was abandoned within [`TEST_PERIOD`].
    pub(super) fn is_recent(&self) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|at| at.elapsed() < TEST_PERIOD)
    }
}

/// How many connections of one pool were acquired, and how many were returned.
#[derive(Debug, Default)]
pub(super) struct PoolUsage {
    acquired: AtomicU64,
    returned: AtomicU64,
    is_closed: AtomicBool,
}

impl PoolUsage {
    /// How often a connection was acquired since the pool was created.
    pub(super) fn acquired(&self) -> u64 {
        self.acquired.load(Ordering::Acquire)
    }

    /// Number of connections that are in use, or are being tested or replaced after their use. Excludes
    /// connections that the pool itself tests or closes.
    pub(super) fn in_use(&self) -> u64 {
        // In this order, a connection that is acquired in between cannot count as returned.
        let returned = self.returned.load(Ordering::Acquire);
        self.acquired().saturating_sub(returned)
    }

    pub(super) fn count_acquired(&self) {
        self.acquired.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn count_returned(&self) {
        self.returned.fetch_add(1, Ordering::AcqRel);
    }

    /// Marks the pool as closed: its connections no longer need to be replaced.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }
}
