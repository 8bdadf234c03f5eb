//! Replaces the connections of a pool that no longer hands any out.
//!
//! After our own check of a returned connection ([`super::connection_check`]) sqlx tests it once more,
//! without a time limit. If the server stops responding at that moment, the connection occupies its slot in
//! the pool until TCP reports an error, which may be never. After a few such moments no slot would be left,
//! although the database has recovered. So if no caller gets a connection for a while although not all are
//! in use, and the database responds on a new connection, this module replaces all of them.

use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use sea_orm::DatabaseConnection;
use tokio::time::{Instant, sleep, timeout};

use super::connect::{Options, connect_server};
use super::pool_state::{PoolUsage, RecentTimeouts};

/// How often the pool is checked after a statement was abandoned.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How long the pool may be stalled before its connections are replaced.
const REPLACE_AFTER: Duration = Duration::from_secs(2);

/// Time limit for the pool to respond, and for a new connection to open.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Time limit for the pool to respond right after a new connection has opened.
const RECHECK_TIMEOUT: Duration = Duration::from_millis(300);

/// Time limit for the old connections to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A pool of connections, and how many of them are in use.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    pub(super) inner: DatabaseConnection,
    pub(super) usage: Arc<PoolUsage>,
}

/// Connections that can be replaced until they are closed.
#[derive(Debug)]
pub(super) struct ReplaceablePool(RwLock<State>);

#[derive(Debug)]
struct State {
    current: Connections,
    is_closed: bool,
}

impl ReplaceablePool {
    pub(super) fn new(current: Connections) -> Self {
        Self(RwLock::new(State { current, is_closed: false }))
    }

    pub(super) fn current(&self) -> Connections {
        self.0.read().unwrap_or_else(PoisonError::into_inner).current.clone()
    }

    /// Prevents further replacements and returns the connections, which the caller closes.
    pub(super) fn mark_closed(&self) -> Connections {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        state.is_closed = true;
        state.current.usage.close();
        state.current.clone()
    }

    fn is_closed(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_closed
    }

    /// Replaces the current connections and returns them. If the pool was closed meanwhile, returns `Err`
    /// with the new connections.
    fn replace(&self, new: Connections) -> Result<Connections, Connections> {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match state.is_closed {
            true => Err(new),
            false => Ok(std::mem::replace(&mut state.current, new)),
        }
    }
}

/// The pool has handed out no connection since a point in time.
#[derive(Debug, Clone, Copy)]
struct Stall {
    since: Instant,
    /// The count of acquired connections at that time.
    acquired: u64,
}

/// Starts a task that keeps a server's connections usable until the pool is closed or dropped.
pub(super) fn spawn(shared: &Arc<ReplaceablePool>, options: &Options, timeouts: &RecentTimeouts) {
    tokio::spawn(monitor(Arc::downgrade(shared), options.clone(), timeouts.clone()));
}

async fn monitor(shared: Weak<ReplaceablePool>, options: Options, timeouts: RecentTimeouts) {
    let mut stall = None;
    loop {
        sleep(POLL_INTERVAL).await;
        let Some(shared) = shared.upgrade().filter(|shared| !shared.is_closed()) else { return };
        if stall.is_none() && !timeouts.is_recent() {
            continue;
        }
        let current = shared.current();
        stall = detect_stall(&current, &options, stall).await;
        if stall.is_some_and(|stall| stall.since.elapsed() >= REPLACE_AFTER) {
            replace_connections(&shared, &current, &options, &timeouts).await;
        }
    }
}

/// Tries to acquire a connection like any caller. Returns `None` if the pool responds, if another caller
/// got a connection since the previous check, or if all connections are in use.
async fn detect_stall(
    current: &Connections,
    options: &Options,
    previous: Option<Stall>,
) -> Option<Stall> {
    let usage = &current.usage;
    let began = Stall { since: Instant::now(), acquired: usage.acquired() };
    if responds(current, RESPONSE_TIMEOUT).await {
        return None;
    }
    let stall = previous.unwrap_or(began);
    let is_progressing = usage.acquired() != stall.acquired;
    let is_exhausted = usage.in_use() >= u64::from(options.max_connections);
    (!is_progressing && !is_exhausted).then_some(stall)
}

async fn replace_connections(
    shared: &ReplaceablePool,
    current: &Connections,
    options: &Options,
    timeouts: &RecentTimeouts,
) {
    let Ok(Ok(new)) = timeout(RESPONSE_TIMEOUT, connect_server(options, timeouts)).await else {
        return;
    };
    // The database may have recovered just now; then the pool recovers without a replacement.
    let unused = match responds(current, RECHECK_TIMEOUT).await {
        true => new,
        false => shared.replace(new).map_or_else(
            |rejected| rejected,
            |old| {
                tracing::warn!(
                    "the database responds on a new connection, but not on those of the pool; \
                     replaced all connections"
                );
                old
            },
        ),
    };
    unused.usage.close();
    // Connections that do not close in time are dropped.
    tokio::spawn(timeout(CLOSE_TIMEOUT, unused.inner.close()));
}

async fn responds(connections: &Connections, limit: Duration) -> bool {
    matches!(timeout(limit, connections.inner.ping()).await, Ok(Ok(())))
}
