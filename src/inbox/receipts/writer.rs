//! Batches receipts that arrive at the same time into one transaction.
//!
//! A commit costs as much for one receipt as for hundreds. So a few tasks commit, and everything
//! that arrives during a commit goes into the next one. No receipt waits for others to arrive, and
//! no caller is answered before the commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc, oneshot};

use super::ReceiptBatch;
use super::matching::match_all;
use super::record::record;
use crate::store::{self, Error, Store};

/// Number of committing tasks, and so of concurrent transactions.
const TASKS: usize = 2;

/// Maximum number of callbacks per transaction.
const MAX_BATCH: usize = 512;

/// Maximum number of queued callbacks. Beyond it, callers wait to enter the queue.
const QUEUE_CAPACITY: usize = 4_096;

/// How long callers wait after the commit for their receipts to be matched, and how long before the
/// callers' timeout they are answered at the latest.
const MATCH_TIMEOUT: Duration = Duration::from_millis(200);
const ANSWER_MARGIN: Duration = Duration::from_millis(100);

/// The queue of receipts to commit.
pub(in crate::inbox) struct ReceiptWriter(mpsc::Sender<PendingBatch>);

/// The receipts of a callback, and the caller that waits for their commit.
struct PendingBatch {
    batch: ReceiptBatch,
    since: Instant,
    answer: oneshot::Sender<Result<(), Arc<Error>>>,
}

impl ReceiptWriter {
    /// Starts the tasks. They end when the writer is dropped.
    pub(in crate::inbox) fn spawn(store: &Store) -> Self {
        let (sender, pending) = mpsc::channel(QUEUE_CAPACITY);
        let pending = Arc::new(Mutex::new(pending));
        for _ in 0..TASKS {
            tokio::spawn(work(store.clone(), pending.clone()));
        }
        Self(sender)
    }

    /// Records the receipts. They are committed when this returns `Ok`.
    pub(in crate::inbox) async fn record(&self, batch: ReceiptBatch) -> Result<(), Arc<Error>> {
        let ((answer, answered), since) = (oneshot::channel(), Instant::now());
        let recorded = store::in_time(async {
            // The channels stay open while the process lives. If one closes anyway, the caller
            // times out.
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

async fn work(store: Store, pending: Arc<Mutex<mpsc::Receiver<PendingBatch>>>) {
    let mut received = Vec::with_capacity(MAX_BATCH);
    loop {
        if pending.lock().await.recv_many(&mut received, MAX_BATCH).await == 0 {
            return;
        }
        // WeChat repeats the callbacks of callers that have gone.
        received.retain(|pending| !pending.answer.is_closed());
        let Some(since) = received.iter().map(|pending| pending.since).min() else { continue };
        let (batches, answers): (Vec<_>, Vec<_>) =
            received.drain(..).map(|PendingBatch { batch, answer, .. }| (batch, answer)).unzip();
        // Bounded, because a connection that stops responding must not hold up later batches.
        let recorded = store::in_time(record(&store, batches)).await;
        if let Ok(Some(kept_at)) = recorded {
            match_just_kept(&store, kept_at, since + store::DEADLINE).await;
        }
        let recorded = recorded.map(drop).map_err(Arc::new);
        for answer in answers {
            // The caller may have gone.
            let _ = answer.send(recorded.clone());
        }
    }
}

/// Matches receipts just kept whose message number was committed in the meantime, so that callers
/// do not wait for the next run of `matching`. The receipts are committed even if this fails, and
/// callers are answered in time.
async fn match_just_kept(store: &Store, kept_at: i64, deadline: Instant) {
    let remaining = deadline.saturating_duration_since(Instant::now());
    let timeout = MATCH_TIMEOUT.min(remaining.saturating_sub(ANSWER_MARGIN));
    if let Err(error) = store::within(timeout, match_all(store, kept_at)).await {
        tracing::debug!(%error, "receipts just kept are matched by the next run");
    }
}
