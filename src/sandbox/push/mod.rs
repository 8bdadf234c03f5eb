//! The vendor's pushes to a callback: what they say, how they are signed and encrypted, and that
//! they come up to three times.
//!
//! Each attempt is sealed anew, so that a receiver cannot tell a repetition by its bytes; to send
//! the same bytes twice, there is [`Letter`]. Nothing is pushed in order.

mod callback;
mod consent;
mod event;
mod follow;
mod letter;
mod message;
mod post;
mod receipt;

use std::sync::Arc;
use std::time::Duration;

pub use callback::{Callback, CallbackFormat, CallbackMode, InvalidCallback};
pub(crate) use consent::{grant, revoke};
pub use event::Event;
pub(crate) use follow::{join, leave, leave_any, rejoin};
pub use letter::Letter;
pub use post::{Answer, Undelivered};
pub(crate) use receipt::{Report, report};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::world::{Account, Attempt, Push, PushId, PushState, World};
use letter::Seal;

/// How often a push is tried in all.
const TRIES: usize = 3;

/// What the vendor waits before it tries again.
const PAUSE: Duration = Duration::from_millis(100);

/// As much of an answer is kept as this, in bytes.
const KEPT_ANSWER: usize = 1_024;

/// What a message says of the account and the person.
#[derive(Debug)]
struct Context {
    appid: String,
    original_id: String,
    /// Empty where it is of nobody.
    openid: String,
    unionid: Option<String>,
    /// Who speaks where it is not the person.
    platform: String,
    /// The `MsgId` of a message.
    serial: i64,
    /// Seconds.
    now: i64,
}

impl Context {
    fn new(world: &World, account: &Account, person: Option<u64>) -> Self {
        let state = account.state();
        Self {
            appid: account.appid.clone(),
            original_id: account.original_id.clone(),
            openid: person.map(|p| account.openids.encode(p).to_string()).unwrap_or_default(),
            unionid: person.and_then(|p| state.unionid(p)).map(|unionid| unionid.to_string()),
            platform: account.platform_id.clone(),
            serial: (world.draw() >> 1) as i64 | 1 << 54,
            now: world.now() / 1_000,
        }
    }
}

/// A message of an account, ready to be sealed.
#[derive(Debug)]
struct Draft {
    callback: Callback,
    context: Context,
    message: Vec<u8>,
}

impl Draft {
    fn new(world: &World, account: &Account, event: &Event) -> Result<Self, Undelivered> {
        let callback = callback_of(account)?;
        let context = Context::new(world, account, event.person());
        let message = event.message(&context, callback.format);
        Ok(Self { callback, context, message })
    }

    fn seal(&self, world: &World) -> Result<Letter, Undelivered> {
        let draws = [world.draw(), world.draw(), world.draw()];
        let seal = Seal { timestamp: world.now() / 1_000, draws };
        Ok(letter::seal(&self.callback, &self.context, self.message.clone(), seal)?)
    }
}

fn callback_of(account: &Account) -> Result<Callback, Undelivered> {
    let none = || Undelivered::NoCallback(account.appid.clone());
    account.state().callback.clone().ok_or_else(none)
}

fn url_of(account: &Account) -> Result<String, Undelivered> {
    let url = callback_of(account)?.url;
    if url.is_empty() { Err(Undelivered::NoUrl(account.appid.clone())) } else { Ok(url) }
}

/// The event signed and encrypted, and not sent.
pub(crate) fn letter(
    world: &World,
    account: &Account,
    event: &Event,
) -> Result<Letter, Undelivered> {
    Draft::new(world, account, event)?.seal(world)
}

/// Sends a letter once.
pub(crate) async fn post(
    world: &World,
    account: &Account,
    letter: &Letter,
) -> Result<Answer, Undelivered> {
    post::post(&url_of(account)?, letter, world.push_timeout).await
}

/// The query of a URL check with that `echostr`.
pub(crate) fn check_query(
    world: &World,
    account: &Account,
    echostr: &str,
) -> Result<String, Undelivered> {
    let (timestamp, nonce) = ((world.now() / 1_000).to_string(), (world.draw() >> 32).to_string());
    let query = letter::signed_query(&callback_of(account)?.token, &timestamp, &nonce);
    Ok(format!("{query}&echostr={echostr}"))
}

/// The URL check: whether the `echostr` came back, and nothing else with it.
pub(crate) async fn check(world: &World, account: &Account) -> Result<bool, Undelivered> {
    let echostr = (world.draw() >> 1).to_string();
    let query = check_query(world, account, &echostr)?;
    let answer = post::get(&url_of(account)?, &query, world.push_timeout).await?;
    Ok(answer.status == 200 && answer.body == echostr.as_bytes())
}

/// Begins to push an event, in a task of its own that ends when the push does.
pub(crate) fn start(
    world: &Arc<World>,
    account: &Account,
    event: &Event,
) -> Result<(PushId, JoinHandle<()>), Undelivered> {
    start_after(world, account, event, Duration::ZERO)
}

/// The same, with the first attempt that much later.
fn start_after(
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
fn announce(world: &Arc<World>, account: &Account, events: impl IntoIterator<Item = Event>) {
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
