//! The history of pushes, with the outcome of each.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use crate::sandbox::locks::lock;

/// The maximum number of stored pushes. The oldest are dropped first.
const MAX_STORED: usize = 20_000;

/// The maximum number of pushes that are sent at the same time.
const MAX_CONCURRENT: usize = 64;

/// Identifies a push. The first push of a world has number 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct PushId(u64);

/// The state of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PushState {
    /// The push waits for a permit to send, for a response or for the next attempt.
    UnderWay,
    /// The callback answered status 200 with `success` or an empty body.
    Accepted,
    /// The callback answered status 200 with another body. The push is not retried.
    Misunderstood,
    /// Every attempt failed, or the sandbox was stopped.
    GivenUp,
}

/// One attempt of a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The HTTP status; `None` if there was no response.
    pub status: Option<u16>,
    /// The beginning of the response body, at most 1 KiB.
    pub body: Option<String>,
    /// Why there was no response.
    pub error: Option<String>,
    /// The duration of the attempt in ms.
    pub milliseconds: u64,
}

/// A pushed event with all attempts so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Push {
    /// The id of the push.
    pub id: PushId,
    /// The AppID of the account whose callback receives the push.
    pub appid: String,
    /// The name of the event, such as `subscribe`.
    pub event: String,
    /// The number of the person that the event is about.
    pub person: Option<u64>,
    /// The state of the push.
    pub state: PushState,
    /// The attempts, oldest first.
    pub attempts: Vec<Attempt>,
}

/// All pushes of the world.
#[derive(Debug)]
pub(crate) struct Pushes {
    store: Arc<Mutex<PushStore>>,
    /// The number of pushes in progress.
    pending: watch::Sender<u64>,
    permits: Semaphore,
}

#[derive(Debug, Default)]
struct PushStore {
    pushes: VecDeque<Push>,
    created: u64,
}

impl PushStore {
    fn find(&mut self, id: PushId) -> Option<&mut Push> {
        let index = self.pushes.binary_search_by_key(&id, |push| push.id).ok()?;
        self.pushes.get_mut(index)
    }
}

/// A push in progress. If this is dropped before [`finish`](Self::finish), the push is abandoned.
#[derive(Debug)]
pub(crate) struct PendingPush {
    id: PushId,
    state: PushState,
    store: Arc<Mutex<PushStore>>,
    pending: watch::Sender<u64>,
}

impl PendingPush {
    pub(crate) fn id(&self) -> PushId {
        self.id
    }

    pub(crate) fn finish(mut self, state: PushState) {
        self.state = state;
    }
}

impl Drop for PendingPush {
    fn drop(&mut self) {
        if let Some(push) = lock(&self.store).find(self.id) {
            push.state = self.state;
        }
        self.pending.send_modify(|count| *count -= 1);
    }
}

impl Pushes {
    pub(crate) fn new() -> Self {
        Self {
            store: Arc::default(),
            pending: watch::Sender::new(0),
            permits: Semaphore::new(MAX_CONCURRENT),
        }
    }

    /// Records a new push.
    pub(crate) fn begin(&self, appid: &str, event: &str, person: Option<u64>) -> PendingPush {
        let mut store = lock(&self.store);
        store.created += 1;
        let id = PushId(store.created);
        if store.pushes.len() >= MAX_STORED {
            store.pushes.pop_front();
        }
        let (appid, event) = (appid.to_owned(), event.to_owned());
        let (state, attempts) = (PushState::UnderWay, Vec::new());
        store.pushes.push_back(Push { id, appid, event, person, state, attempts });
        self.pending.send_modify(|count| *count += 1);
        let (store, pending) = (self.store.clone(), self.pending.clone());
        PendingPush { id, state: PushState::GivenUp, store, pending }
    }

    /// Waits for a permit to send.
    pub(crate) async fn acquire_permit(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.permits.acquire().await.ok()
    }

    /// Adds an attempt to a push.
    pub(crate) fn record(&self, id: PushId, attempt: Attempt) {
        if let Some(push) = lock(&self.store).find(id) {
            push.attempts.push(attempt);
        }
    }

    pub(crate) fn find(&self, id: PushId) -> Option<Push> {
        lock(&self.store).find(id).cloned()
    }

    pub(crate) fn list(&self) -> Vec<Push> {
        lock(&self.store).pushes.iter().cloned().collect()
    }

    /// Waits until no push is in progress.
    pub(crate) async fn settled(&self) {
        // Cannot fail: `self` holds the sender, so the channel is open.
        _ = self.pending.subscribe().wait_for(|count| *count == 0).await;
    }
}
