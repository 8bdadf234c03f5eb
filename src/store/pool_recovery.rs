//! New connections in place of those that a pool waits for in vain.
//!
//! After our own look at a connection that comes back ([`super::connection_check`]) sqlx tests it once more, without a
//! time limit. One whose server fell silent at that moment keeps its place in the pool until TCP gives up,
//! which may be never: after a few such moments there would be no place left, although the database has
//! long been back. So where nobody gets a connection for a while though not all are in use, and the
//! database answers a new one, all are replaced.

use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use sea_orm::DatabaseConnection;
use tokio::time::{Instant, sleep, timeout};

use super::connect::{Options, connect_server};
use super::pool_state::{PoolUsage, RecentTimeouts};

/// How often the pool is looked at once a statement was given up.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long nobody may get a connection before the database is asked for a new one.
const LOST_AFTER: Duration = Duration::from_secs(2);

/// How soon the database has to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// How soon a pool has to that can reach a database which answered just now.
const FOLLOWS_WITHIN: Duration = Duration::from_millis(300);

/// How long old connections have to end.
const LAST_WORD: Duration = Duration::from_secs(5);

/// A pool of connections, and what passes in and out.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    pub(super) inner: DatabaseConnection,
    pub(super) traffic: Arc<PoolUsage>,
}

/// Connections that may be replaced, until they are closed.
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

    /// The connections, to be closed by the caller; none take their place any more.
    pub(super) fn end(&self) -> Connections {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        state.is_closed = true;
        state.current.traffic.end();
        state.current.clone()
    }

    fn is_closed(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_closed
    }

    /// Puts others in their place and returns those there were. `Err` with the others where the pool was
    /// closed meanwhile.
    fn replace(&self, others: Connections) -> Result<Connections, Connections> {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match state.is_closed {
            true => Err(others),
            false => Ok(std::mem::replace(&mut state.current, others)),
        }
    }
}

/// Since when nobody got a connection.
#[derive(Debug, Clone, Copy)]
struct Unrecovered {
    since: Instant,
    /// How often one had been taken by then.
    taken: u64,
}

/// Keeps a server's connections usable until they are closed or nobody has them any more.
pub(super) fn spawn(shared: &Arc<ReplaceablePool>, options: &Options, doubt: &RecentTimeouts) {
    tokio::spawn(renew_for_ever(Arc::downgrade(shared), options.clone(), doubt.clone()));
}

async fn renew_for_ever(shared: Weak<ReplaceablePool>, options: Options, doubt: RecentTimeouts) {
    let mut in_vain = None;
    loop {
        sleep(LOOK_EVERY).await;
        let Some(shared) = shared.upgrade().filter(|shared| !shared.is_closed()) else { return };
        if in_vain.is_none() && !doubt.is_recent() {
            continue;
        }
        let current = shared.current();
        in_vain = look(&current, &options, in_vain).await;
        if in_vain.is_some_and(|in_vain| in_vain.since.elapsed() >= LOST_AFTER) {
            renew(&shared, &current, &options, &doubt).await;
        }
    }
}

/// Asks for a connection as everybody does. `None` where one is to be had, where somebody else got one
/// since the look before, or where all are in use.
async fn look(
    current: &Connections,
    options: &Options,
    before: Option<Unrecovered>,
) -> Option<Unrecovered> {
    let traffic = &current.traffic;
    let began = Unrecovered { since: Instant::now(), taken: traffic.taken() };
    if answers(current, ANSWERS_WITHIN).await {
        return None;
    }
    let before = before.unwrap_or(began);
    let is_moving = traffic.taken() != before.taken;
    let is_busy = traffic.in_use() >= u64::from(options.max_connections);
    (!is_moving && !is_busy).then_some(before)
}

async fn renew(
    shared: &ReplaceablePool,
    current: &Connections,
    options: &Options,
    doubt: &RecentTimeouts,
) {
    let Ok(Ok(fresh)) = timeout(ANSWERS_WITHIN, connect_server(options, doubt)).await else {
        return;
    };
    // It may have come back this very moment; then the pool finds it by itself.
    let unused = match answers(current, FOLLOWS_WITHIN).await {
        true => fresh,
        false => shared.replace(fresh).map_or_else(
            |refused| refused,
            |old| {
                tracing::warn!(
                    "the database answers, but not on these connections: all are replaced"
                );
                old
            },
        ),
    };
    unused.traffic.end();
    // Those that never end are given up with it.
    tokio::spawn(timeout(LAST_WORD, unused.inner.close()));
}

async fn answers(connections: &Connections, within: Duration) -> bool {
    matches!(timeout(within, connections.inner.ping()).await, Ok(Ok(())))
}
