//! A push on its way: tried until it is answered, as often as the vendor does.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::post::{Answer, Undelivered};
use super::{Draft, Event, post, url_of};
use crate::sandbox::world::{Account, Attempt, Push, PushId, PushState, World};

/// How often a push is tried in all.
const TRIES: usize = 3;

/// What the vendor waits before it tries again.
const PAUSE: Duration = Duration::from_millis(100);

/// As much of an answer is kept as this, in bytes.
const KEPT_ANSWER: usize = 1_024;

/// Begins to push an event, in a task of its own that ends when the push does.
pub(crate) fn start(
    world: &Arc<World>,
    account: &Account,
    event: &Event,
) -> Result<(PushId, JoinHandle<()>), Undelivered> {
    start_after(world, account, event, Duration::ZERO)
}

/// The same, with the first attempt that much later.
pub(super) fn start_after(
    world: &Arc<World>,
    account: &Account,
    event: &Event,
    delay: Duration,
) -> Result<(PushId, JoinHandle<()>), Undelivered> {
    let draft = Draft::new(world, account, event)?;
    let under_way = world.pushes.begin(&account.appid, event.name(), event.person());
    let id = under_way.id();
    let (world, number) = (world.clone(), account.number);
    let task = tokio::spawn(async move {
        let stop = world.stop.clone();
        let tries = async {
            // A sleep of no time still waits for the timer's next tick.
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            try_all(&world, number, &draft, id).await
        };
        let state = stop.run_until_cancelled(tries).await;
        under_way.end(state.unwrap_or(PushState::GivenUp));
    });
    Ok((id, task))
}

/// Begins to push events, where the account has somewhere to push to.
pub(super) fn announce(
    world: &Arc<World>,
    account: &Account,
    events: impl IntoIterator<Item = Event>,
) {
    if url_of(account).is_err() {
        return;
    }
    for event in events {
        if let Err(error) = start(world, account, &event) {
            tracing::warn!(error = %error, "the sandbox could not push an event");
        }
    }
}

/// Pushes an event and waits for the end of it.
pub(crate) async fn deliver(
    world: &Arc<World>,
    account: &Account,
    event: &Event,
) -> Result<Push, Undelivered> {
    let (id, task) = start(world, account, event)?;
    // The push is in the book, however its task ended.
    _ = task.await;
    world.pushes.find(id).ok_or(Undelivered::Forgotten)
}

/// Tries until somebody answers with 200, as often as the vendor does.
async fn try_all(world: &World, account: usize, draft: &Draft, id: PushId) -> PushState {
    let _turn = world.pushes.turn().await;
    for nth in 0..TRIES {
        if nth > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let begun = Instant::now();
        let answer = attempt(world, &world.accounts[account], draft).await;
        let state = judge(&answer);
        world.pushes.record(id, told(answer, begun.elapsed()));
        if let Some(state) = state {
            return state;
        }
    }
    PushState::GivenUp
}

async fn attempt(world: &World, account: &Account, draft: &Draft) -> Result<Answer, Undelivered> {
    post(world, account, &draft.seal(world)?).await
}

/// How a push ends with this answer; `None` where it is tried again.
fn judge(answer: &Result<Answer, Undelivered>) -> Option<PushState> {
    match answer {
        Ok(Answer { status: 200, body }) if body.is_empty() || body == b"success" => {
            Some(PushState::Accepted)
        }
        Ok(Answer { status: 200, .. }) => Some(PushState::Misunderstood),
        _ => None,
    }
}

fn told(answer: Result<Answer, Undelivered>, took: Duration) -> Attempt {
    let milliseconds = took.as_millis() as u64;
    match answer {
        Ok(Answer { status, mut body }) => {
            body.truncate(KEPT_ANSWER);
            let body = Some(String::from_utf8_lossy(&body).into_owned());
            Attempt { status: Some(status), body, error: None, milliseconds }
        }
        Err(error) => {
            Attempt { status: None, body: None, error: Some(error.to_string()), milliseconds }
        }
    }
}
