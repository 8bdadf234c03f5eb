//! Pushes to a callback: their content, signature and encryption, and up to three attempts.
//!
//! Each attempt is signed and encrypted again, so a receiver cannot recognise a retry by its bytes. Use
//! [`Envelope`] to send the same bytes twice. Pushes have no guaranteed order.

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
pub(crate) use receipt::{PendingReceipt, push_receipt};

use super::world::{Account, World};
use envelope::Variation;

/// The data of the account and the person in a message.
#[derive(Debug)]
struct Context {
    appid: String,
    original_id: String,
    /// Empty if the message is about no person.
    openid: String,
    unionid: Option<String>,
    /// The sender of messages about personal data.
    platform: String,
    /// The `MsgId` of a text message.
    message_id: i64,
    /// Unix time in s.
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
            message_id: (world.random() >> 1) as i64 | 1 << 54,
            now: world.now() / 1_000,
        }
    }
}

/// A message that is ready to be signed and encrypted.
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
        let random = [world.random(), world.random(), world.random()];
        let variation = Variation { timestamp: world.now() / 1_000, random };
        Ok(envelope::seal(&self.callback, &self.context, self.message.clone(), variation)?)
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

/// Signs and encrypts an event without sending it.
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

/// Returns the query of a URL check with this `echostr`.
pub(crate) fn check_query(
    world: &World,
    account: &Account,
    echostr: &str,
) -> Result<String, Undelivered> {
    let (timestamp, nonce) =
        ((world.now() / 1_000).to_string(), (world.random() >> 32).to_string());
    let query = envelope::signed_query(&callback_of(account)?.token, &timestamp, &nonce);
    Ok(format!("{query}&echostr={echostr}"))
}

/// Checks the URL: returns whether the response body is exactly the `echostr`.
pub(crate) async fn check(world: &World, account: &Account) -> Result<bool, Undelivered> {
    let echostr = (world.random() >> 1).to_string();
    let query = check_query(world, account, &echostr)?;
    let answer = post::get(&url_of(account)?, &query, world.push_timeout).await?;
    Ok(answer.status == 200 && answer.body == echostr.as_bytes())
}
