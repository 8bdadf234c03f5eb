//! Batches lookups that arrive at the same time into one statement.
//!
//! Sending a statement and waiting for it costs many times what the lookup itself costs: on SQLite
//! the way to another thread and back, on a server the network round trip, and the same again for
//! sqlx's test of the connection when it is returned. So a few tasks look up, and everything that
//! arrives during a statement goes into the next one. No lookup waits for others to arrive, and
//! nothing is cached: every answer is read after its request.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};

use super::lookup::Lookups;
use super::{Error, Resolution, User};
use crate::model::AppId;
use crate::store;

/// Number of lookup tasks, and so of concurrent statements.
const TASKS: usize = 2;

/// Maximum number of lookups per statement.
const MAX_BATCH: usize = 128;

/// Maximum number of queued lookups. Beyond it, callers wait to enter the queue.
const QUEUE_CAPACITY: usize = 4_096;

/// The queue of lookups.
#[derive(Clone)]
pub(super) struct Batcher(mpsc::Sender<PendingLookUp>);

/// A lookup, and the caller that waits for it.
struct PendingLookUp {
    user: User,
    target: AppId,
    answer: oneshot::Sender<Result<Resolution, Error>>,
}

impl Batcher {
    /// Starts the tasks. They end when the last clone of the batcher is dropped.
    pub(super) fn spawn(look_ups: &Lookups) -> Self {
        let (sender, pending) = mpsc::channel(QUEUE_CAPACITY);
        let pending = Arc::new(Mutex::new(pending));
        for _ in 0..TASKS {
            tokio::spawn(work(look_ups.clone(), pending.clone()));
        }
        Self(sender)
    }

    /// Resolves a user. All accounts in the request must be configured.
    pub(super) async fn resolve(&self, user: User, target: AppId) -> Result<Resolution, Error> {
        let (answer, answered) = oneshot::channel();
        let found = store::in_time(async {
            // The channels stay open while the process lives. If one closes anyway, the caller
            // times out.
            if self.0.send(PendingLookUp { user, target, answer }).await.is_err() {
                std::future::pending::<()>().await;
            }
            match answered.await {
                Ok(found) => Ok(found),
                Err(_) => std::future::pending().await,
            }
        });
        found.await?
    }
}

async fn work(look_ups: Lookups, pending: Arc<Mutex<mpsc::Receiver<PendingLookUp>>>) {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    loop {
        if pending.lock().await.recv_many(&mut batch, MAX_BATCH).await == 0 {
            return;
        }
        // Skip lookups whose caller has gone.
        batch.retain(|pending| !pending.answer.is_closed());
        for (target, pending) in by_target(&mut batch) {
            let (users, answers): (Vec<_>, Vec<_>) =
                pending.into_iter().map(|pending| (pending.user, pending.answer)).unzip();
            answer(answers, look_ups.resolve_all(&users, Some(&target)).await);
        }
    }
}

fn by_target(batch: &mut Vec<PendingLookUp>) -> HashMap<AppId, Vec<PendingLookUp>> {
    let mut groups: HashMap<AppId, Vec<PendingLookUp>> = HashMap::with_capacity(1);
    for pending in batch.drain(..) {
        match groups.get_mut(&pending.target) {
            Some(group) => group.push(pending),
            None => _ = groups.insert(pending.target.clone(), vec![pending]),
        }
    }
    groups
}

/// Answers the callers; those that have gone are ignored.
fn answer(
    answers: Vec<oneshot::Sender<Result<Resolution, Error>>>,
    found: Result<Vec<Resolution>, Error>,
) {
    match found {
        Ok(found) => {
            for (answer, resolution) in answers.into_iter().zip(found) {
                let _ = answer.send(Ok(resolution));
            }
        }
        Err(error) => {
            for answer in answers {
                let _ = answer.send(Err(error.clone()));
            }
        }
    }
}
