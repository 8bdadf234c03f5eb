//! The vendor's pushes to a callback: what they say, how they are signed and encrypted, and that
//! they come up to three times.
//!
//! Each attempt is sealed anew, so that a receiver cannot tell a repetition by its bytes; to send
//! the same bytes twice, there is [`Envelope`]. Nothing is pushed in order.

mod callback;
mod consent;
mod delivery;
mod envelope;
mod event;
mod follow;
mod message;
mod post;
mod receipt;

pub use callback::{Callback, CallbackFormat, CallbackMode, InvalidCallback};
pub(crate) use consent::{grant, revoke};
use delivery::{announce, start_after};
pub(crate) use delivery::{deliver, start};
pub use envelope::Envelope;
pub use event::Event;
pub(crate) use follow::{join, leave, leave_any, rejoin};
pub use post::{Answer, Undelivered};
pub(crate) use receipt::{Report, report};

use super::world::{Account, World};
use envelope::Seal;

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

    fn seal(&self, world: &World) -> Result<Envelope, Undelivered> {
        let draws = [world.draw(), world.draw(), world.draw()];
        let seal = Seal { timestamp: world.now() / 1_000, draws };
        Ok(envelope::seal(&self.callback, &self.context, self.message.clone(), seal)?)
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
pub(crate) fn envelope(
    world: &World,
    account: &Account,
    event: &Event,
) -> Result<Envelope, Undelivered> {
    Draft::new(world, account, event)?.seal(world)
}

/// Sends an envelope once.
pub(crate) async fn post(
    world: &World,
    account: &Account,
    envelope: &Envelope,
) -> Result<Answer, Undelivered> {
    post::post(&url_of(account)?, envelope, world.push_timeout).await
}

/// The query of a URL check with that `echostr`.
pub(crate) fn check_query(
    world: &World,
    account: &Account,
    echostr: &str,
) -> Result<String, Undelivered> {
    let (timestamp, nonce) = ((world.now() / 1_000).to_string(), (world.draw() >> 32).to_string());
    let query = envelope::signed_query(&callback_of(account)?.token, &timestamp, &nonce);
    Ok(format!("{query}&echostr={echostr}"))
}

/// The URL check: whether the `echostr` came back, and nothing else with it.
pub(crate) async fn check(world: &World, account: &Account) -> Result<bool, Undelivered> {
    let echostr = (world.draw() >> 1).to_string();
    let query = check_query(world, account, &echostr)?;
    let answer = post::get(&url_of(account)?, &query, world.push_timeout).await?;
    Ok(answer.status == 200 && answer.body == echostr.as_bytes())
}
