//! Delivers a push: retries it until it is accepted, as often as WeChat does.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::post::{Answer, Undelivered};
use super::{Draft, Event, post, url_of};
use crate::sandbox::world::{Account, Attempt, Push, PushId, PushState, World};

/// The maximum number of attempts per push.
const MAX_ATTEMPTS: usize = 3;

/// The delay before the next attempt.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// How much of a response body is stored, in bytes.
const MAX_STORED_BODY: usize = 1_024;

/// Starts to push an event in a new task, which ends when the push is accepted or has failed.
pub(crate) fn start(
    world: &Arc<World>,
    account: &Account,
    event: &Event,
) -> Result<(PushId, JoinHandle<()>), Undelivered> {
    start_after(world, account, event, Duration::ZERO)
}

/// Like [`start`], but delays the first attempt.
pub(super) fn start_after(
    world: &Arc<World>,
    account: &Account,
    event: &Event,
    delay: Duration,
) -> Result<(PushId, JoinHandle<()>), Undelivered> {
    let draft = Draft::new(world, account, event)?;
    let pending = world.pushes.begin(&account.appid, event.name(), event.person());
    let id = pending.id();
    let (world, number) = (world.clone(), account.number);
    let task = tokio::spawn(async move {
        let stop = world.stop.clone();
        let attempts = async {
            // A sleep of zero still waits for the timer's next tick.
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            attempt_all(&world, number, &draft, id).await
        };
        let state = stop.run_until_cancelled(attempts).await;
        pending.finish(state.unwrap_or(PushState::GivenUp));
    });
    Ok((id, task))
}

/// Starts to push events, if the account has a callback with a URL.
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

/// Pushes an event and waits until it is accepted or has failed.
pub(crate) async fn deliver(
    world: &Arc<World>,
    account: &Account,
    event: &Event,
) -> Result<Push, Undelivered> {
    let (id, task) = start(world, account, event)?;
    // The outcome is recorded in the history, however the task ended.
    _ = task.await;
    world.pushes.find(id).ok_or(Undelivered::Forgotten)
}

/// Attempts the push until the callback answers status 200, as often as WeChat does.
async fn attempt_all(world: &World, account: usize, draft: &Draft, id: PushId) -> PushState {
    let _permit = world.pushes.acquire_permit().await;
    for nth in 0..MAX_ATTEMPTS {
        if nth > 0 {
            tokio::time::sleep(RETRY_DELAY).await;
        }
        let started = Instant::now();
        let answer = attempt(world, &world.accounts[account], draft).await;
        let state = final_state(&answer);
        world.pushes.record(id, to_attempt(answer, started.elapsed()));
        if let Some(state) = state {
            return state;
        }
    }
    PushState::GivenUp
}

async fn attempt(world: &World, account: &Account, draft: &Draft) -> Result<Answer, Undelivered> {
    post(world, account, &draft.seal(world)?).await
}

/// Returns the final state of a push with this response, or `None` if the push is to be retried.
fn final_state(answer: &Result<Answer, Undelivered>) -> Option<PushState> {
    match answer {
        Ok(Answer { status: 200, body }) if body.is_empty() || body == b"success" => {
            Some(PushState::Accepted)
        }
        Ok(Answer { status: 200, .. }) => Some(PushState::Misunderstood),
        _ => None,
    }
}

fn to_attempt(answer: Result<Answer, Undelivered>, duration: Duration) -> Attempt {
    let milliseconds = duration.as_millis() as u64;
    match answer {
        Ok(Answer { status, mut body }) => {
            body.truncate(MAX_STORED_BODY);
            let body = Some(String::from_utf8_lossy(&body).into_owned());
            Attempt { status: Some(status), body, error: None, milliseconds }
        }
        Err(error) => {
            Attempt { status: None, body: None, error: Some(error.to_string()), milliseconds }
        }
    }
}
