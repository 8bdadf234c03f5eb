//! New connections for those that are waited for in vain.
//!
//! sqlx tests a connection when it comes back, for as long as that takes. One whose server fell silent at
//! that moment is never heard of again, and keeps its place among the others for ever: after a few such
//! moments there would be no place left, and the database long back. So where no place is to be had for a
//! while, and the database answers a new connection, all are made anew.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::connect::{Options, connect_server};
use super::pool::{Doubt, Shared};

/// How often it is looked whether a statement was given up.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long no connection may be had before new ones are made: long enough for those that others use to
/// come back.
const LOST_AFTER: Duration = Duration::from_secs(3);

/// How soon the database has to answer a new connection.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Connections are made anew once in so long: where they are merely all in use, there are no more than
/// twice as many.
const ONCE_IN: Duration = Duration::from_secs(30);

/// How long the old ones have to end.
const LAST_WORD: Duration = Duration::from_secs(5);

/// Keeps these connections usable until they are closed or nobody has them any more.
pub(super) fn spawn(shared: &Arc<Shared>, options: &Options, doubt: &Doubt) {
    let work = renew_for_ever(Arc::downgrade(shared), options.clone(), doubt.clone());
    tokio::spawn(work);
}

async fn renew_for_ever(shared: Weak<Shared>, options: Options, doubt: Doubt) {
    let (mut in_vain, mut well_at, mut renewed_at) = (false, Instant::now(), None::<Instant>);
    loop {
        sleep(LOOK_EVERY).await;
        let Some(shared) = shared.upgrade().filter(|shared| !shared.is_closed()) else { return };
        in_vain = (in_vain || doubt.is_recent()) && !answers(&shared).await;
        if !in_vain {
            well_at = Instant::now();
            continue;
        }
        let is_allowed = renewed_at.is_none_or(|at| at.elapsed() >= ONCE_IN);
        if well_at.elapsed() < LOST_AFTER || !is_allowed {
            continue;
        }
        let Ok(Ok(connections)) = timeout(ANSWERS_WITHIN, connect_server(&options, &doubt)).await
        else {
            continue;
        };
        tracing::warn!("no connection could be had though the database answers: all are made anew");
        let old = shared.replace(connections);
        // Those that never end are given up with it.
        tokio::spawn(timeout(LAST_WORD, old.close()));
        (well_at, renewed_at) = (Instant::now(), Some(Instant::now()));
    }
}

async fn answers(shared: &Shared) -> bool {
    matches!(timeout(ANSWERS_WITHIN, shared.current().ping()).await, Ok(Ok(())))
}
