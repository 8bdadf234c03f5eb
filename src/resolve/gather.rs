//! Look-ups that come at the same time share a statement.
//!
//! To send a statement and to wait for it costs many times what the look-up itself costs: on SQLite
//! the way to another thread and back, on a server the way over the network, and the same again for the
//! test of the connection that sqlx makes when it is returned. So a few tasks look up, and whatever has come in while they were at it goes together
//! into the next statement. Nobody waits for others to come, and nothing is remembered: what is
//! answered is read after it was asked.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};

use super::many::LookUps;
use super::{Error, Resolution, User};
use crate::model::AppId;
use crate::store;

/// Tasks that look up, and so statements under way at once.
const TASKS: usize = 2;

/// Look-ups in one statement.
const MOST_TOGETHER: usize = 128;

/// Look-ups that wait their turn; beyond it, callers wait to be taken at all.
const MOST_WAITING: usize = 4_096;

/// Where look-ups are handed in.
#[derive(Clone)]
pub(super) struct Gatherer(mpsc::Sender<Waiting>);

/// A look-up, and who waits for it.
struct Waiting {
    user: User,
    target: AppId,
    answer: oneshot::Sender<Result<Resolution, Error>>,
}

impl Gatherer {
    /// Starts the tasks; they end when the last clone of the gatherer is dropped.
    pub(super) fn spawn(look_ups: &LookUps) -> Self {
        let (sender, waiting) = mpsc::channel(MOST_WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..TASKS {
            tokio::spawn(work(look_ups.clone(), waiting.clone()));
        }
        Self(sender)
    }

    /// Where a user leads. The accounts named must be configured.
    pub(super) async fn resolve(&self, user: User, target: AppId) -> Result<Resolution, Error> {
        let (answer, answered) = oneshot::channel();
        let found = store::in_time(async {
            // Neither fails while the process lives; should it, the caller runs out of time.
            if self.0.send(Waiting { user, target, answer }).await.is_err() {
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

async fn work(look_ups: LookUps, waiting: Arc<Mutex<mpsc::Receiver<Waiting>>>) {
    let mut taken = Vec::with_capacity(MOST_TOGETHER);
    loop {
        if waiting.lock().await.recv_many(&mut taken, MOST_TOGETHER).await == 0 {
            return;
        }
        // Who has given up is not looked up.
        taken.retain(|waiting| !waiting.answer.is_closed());
        for (target, waiting) in by_target(&mut taken) {
            let (users, answers): (Vec<_>, Vec<_>) =
                waiting.into_iter().map(|waiting| (waiting.user, waiting.answer)).unzip();
            answer(answers, look_ups.resolve_all(&users, Some(&target)).await);
        }
    }
}

fn by_target(taken: &mut Vec<Waiting>) -> HashMap<AppId, Vec<Waiting>> {
    let mut grouped: HashMap<AppId, Vec<Waiting>> = HashMap::with_capacity(1);
    for waiting in taken.drain(..) {
        match grouped.get_mut(&waiting.target) {
            Some(group) => group.push(waiting),
            None => _ = grouped.insert(waiting.target.clone(), vec![waiting]),
        }
    }
    grouped
}

/// Nobody is there any more for an answer that cannot be given.
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
