//! Receipts that come at the same time share a transaction.
//!
//! A commit costs as much for one as for hundreds. So a few tasks commit, and whatever has come in
//! while they were at it goes together into the next one. Nobody waits for others to come, and nobody
//! is answered before the commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc, oneshot};

use super::ReceiptBatch;
use super::join::join_all;
use super::record::record;
use crate::store::{self, Error, Store};

/// Tasks that commit, and so transactions under way at once.
const TASKS: usize = 2;

/// Pushes in one transaction.
const MOST_TOGETHER: usize = 512;

/// Pushes that wait their turn; beyond it, callers wait to be taken at all.
const MOST_WAITING: usize = 4_096;

/// How long callers wait after the commit for receipts to be joined, and how long before their patience
/// ends they are answered at the latest.
const JOINED_WITHIN: Duration = Duration::from_millis(200);
const ANSWERED_AHEAD: Duration = Duration::from_millis(100);

/// Where receipts are handed in.
pub(in crate::inbox) struct ReceiptWriter(mpsc::Sender<PendingBatch>);

/// The receipts of a push, and who waits for their commit.
struct PendingBatch {
    batch: ReceiptBatch,
    since: Instant,
    answer: oneshot::Sender<Result<(), Arc<Error>>>,
}

impl ReceiptWriter {
    /// Starts the tasks; they end when the writer is dropped.
    pub(in crate::inbox) fn spawn(store: &Store) -> Self {
        let (sender, waiting) = mpsc::channel(MOST_WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..TASKS {
            tokio::spawn(work(store.clone(), waiting.clone()));
        }
        Self(sender)
    }

    /// Has the receipts take effect. When this returns `Ok`, they are committed.
    pub(in crate::inbox) async fn record(&self, batch: ReceiptBatch) -> Result<(), Arc<Error>> {
        let ((answer, answered), since) = (oneshot::channel(), Instant::now());
        let recorded = store::in_time(async {
            // Neither fails while the process lives; should it, the caller runs out of time.
            if self.0.send(PendingBatch { batch, since, answer }).await.is_err() {
                std::future::pending::<()>().await;
            }
            match answered.await {
                Ok(recorded) => Ok(recorded),
                Err(_) => std::future::pending().await,
            }
        });
        recorded.await?
    }
}

async fn work(store: Store, waiting: Arc<Mutex<mpsc::Receiver<PendingBatch>>>) {
    let mut taken = Vec::with_capacity(MOST_TOGETHER);
    loop {
        if waiting.lock().await.recv_many(&mut taken, MOST_TOGETHER).await == 0 {
            return;
        }
        // For who has given up, WeChat sends it again.
        taken.retain(|waiting| !waiting.answer.is_closed());
        let Some(since) = taken.iter().map(|waiting| waiting.since).min() else { continue };
        let (batches, answers): (Vec<_>, Vec<_>) =
            taken.drain(..).map(|PendingBatch { batch, answer, .. }| (batch, answer)).unzip();
        // Callers have gone by then, and a connection that nothing comes from must not hold up others.
        let recorded = store::in_time(record(&store, batches)).await;
        if let Ok(Some(kept_at)) = recorded {
            join_overtaken(&store, kept_at, since + store::DEADLINE).await;
        }
        let recorded = recorded.map(drop).map_err(Arc::new);
        for answer in answers {
            // Nobody is there any more for an answer that cannot be given.
            let _ = answer.send(recorded.clone());
        }
    }
}

/// Joins receipts just kept whose number was committed meanwhile, so that nobody waits for the next
/// look. The receipts stand whatever becomes of it, and the callers who wait are answered in time.
async fn join_overtaken(store: &Store, kept_at: i64, answered_by: Instant) {
    let left = answered_by.saturating_duration_since(Instant::now());
    let patience = JOINED_WITHIN.min(left.saturating_sub(ANSWERED_AHEAD));
    if let Err(error) = store::within(patience, join_all(store, kept_at)).await {
        tracing::debug!(%error, "receipts just kept wait for the next look");
    }
}
