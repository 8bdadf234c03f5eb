//! The state of a pool's connections: whether statements on them were given up, and how many are in use.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// For so long after a statement was given up, connections that come back are tested.
const DOUBTFUL_FOR: Duration = Duration::from_secs(10);

/// When a statement was given up last. Its connection may be unusable, and so may others.
#[derive(Debug, Clone, Default)]
pub(super) struct RecentTimeouts(Arc<Mutex<Option<Instant>>>);

impl RecentTimeouts {
    pub(super) fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a statement was given up a short while ago.
    pub(super) fn is_recent(&self) -> bool {
        let noted = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.is_some_and(|at| at.elapsed() < DOUBTFUL_FOR)
    }
}

/// How many connections of one pool were taken by a user, and how many came back.
#[derive(Debug, Default)]
pub(super) struct PoolUsage {
    taken: AtomicU64,
    back: AtomicU64,
    has_ended: AtomicBool,
}

impl PoolUsage {
    /// How often a connection was taken since the pool was made.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    /// Connections that somebody uses, or that are being tested or mended after that. Those that the pool
    /// itself tests or closes are not among them.
    pub(super) fn in_use(&self) -> u64 {
        // In this order: one that is taken in between does not count as back.
        let back = self.back.load(Ordering::Acquire);
        self.taken().saturating_sub(back)
    }

    pub(super) fn count_taken(&self) {
        self.taken.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn count_back(&self) {
        self.back.fetch_add(1, Ordering::AcqRel);
    }

    /// Nobody uses the pool any more, and no connection needs to be mended.
    pub(super) fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }
}
