//! What was pushed, and what became of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use crate::sandbox::locks::lock;

/// As many pushes are kept as this; the oldest go first.
const KEPT: usize = 20_000;

/// As many are sent at the same time.
const AT_ONCE: usize = 64;

/// Names a push; the first of a world is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct PushId(u64);

/// How far a push has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PushState {
    /// It waits for its turn, for an answer, or to be tried again.
    UnderWay,
    /// It was answered with `success` or with nothing.
    Accepted,
    /// It was answered with status 200 and something else; it is not tried again.
    Misunderstood,
    /// Every attempt failed, or the sandbox stopped.
    GivenUp,
}

/// One attempt to push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The HTTP status; `None` where no answer came.
    pub status: Option<u16>,
    /// The beginning of the answer's body.
    pub body: Option<String>,
    /// Why no answer came.
    pub error: Option<String>,
    /// How long it took.
    pub milliseconds: u64,
}

/// An event that was pushed, with every attempt so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Push {
    /// Its name.
    pub id: PushId,
    /// The account whose callback it goes to.
    pub appid: String,
    /// What it is, such as `subscribe`.
    pub event: String,
    /// Of whom, by number.
    pub person: Option<u64>,
    /// How far it has come.
    pub state: PushState,
    /// What was tried, the first attempt first.
    pub attempts: Vec<Attempt>,
}

/// All pushes of the world.
#[derive(Debug)]
pub(crate) struct Pushes {
    book: Arc<Mutex<PushStore>>,
    under_way: watch::Sender<u64>,
    turns: Semaphore,
}

#[derive(Debug, Default)]
struct PushStore {
    pushes: VecDeque<Push>,
    made: u64,
}

impl PushStore {
    fn find(&mut self, id: PushId) -> Option<&mut Push> {
        let place = self.pushes.binary_search_by_key(&id, |push| push.id).ok()?;
        self.pushes.get_mut(place)
    }
}

/// A push that has not ended; given up when this is dropped before [`UnderWay::end`].
#[derive(Debug)]
pub(crate) struct UnderWay {
    id: PushId,
    state: PushState,
    book: Arc<Mutex<PushStore>>,
    under_way: watch::Sender<u64>,
}

impl UnderWay {
    pub(crate) fn id(&self) -> PushId {
        self.id
    }

    pub(crate) fn end(mut self, state: PushState) {
        self.state = state;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(push) = lock(&self.book).find(self.id) {
            push.state = self.state;
        }
        self.under_way.send_modify(|count| *count -= 1);
    }
}

impl Pushes {
    pub(crate) fn new() -> Self {
        Self {
            book: Arc::default(),
            under_way: watch::Sender::new(0),
            turns: Semaphore::new(AT_ONCE),
        }
    }

    /// Notes a push that begins.
    pub(crate) fn begin(&self, appid: &str, event: &str, person: Option<u64>) -> UnderWay {
        let mut book = lock(&self.book);
        book.made += 1;
        let id = PushId(book.made);
        if book.pushes.len() >= KEPT {
            book.pushes.pop_front();
        }
        let (appid, event) = (appid.to_owned(), event.to_owned());
        let (state, attempts) = (PushState::UnderWay, Vec::new());
        book.pushes.push_back(Push { id, appid, event, person, state, attempts });
        self.under_way.send_modify(|count| *count += 1);
        let (book, under_way) = (self.book.clone(), self.under_way.clone());
        UnderWay { id, state: PushState::GivenUp, book, under_way }
    }

    /// Waits until not too many are being sent.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.turns.acquire().await.ok()
    }

    pub(crate) fn record(&self, id: PushId, attempt: Attempt) {
        if let Some(push) = lock(&self.book).find(id) {
            push.attempts.push(attempt);
        }
    }

    pub(crate) fn find(&self, id: PushId) -> Option<Push> {
        lock(&self.book).find(id).cloned()
    }

    pub(crate) fn list(&self) -> Vec<Push> {
        lock(&self.book).pushes.iter().cloned().collect()
    }

    /// Waits until none is under way.
    pub(crate) async fn settled(&self) {
        // The sender is here, so that there is always one to wait for.
        _ = self.under_way.subscribe().wait_for(|count| *count == 0).await;
    }
}
