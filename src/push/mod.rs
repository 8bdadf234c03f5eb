//! Push: sends messages to users. An accepted message is stored until WeChat takes it, then tracked
//! until WeChat's receipt reports its final state.
//!
//! ```text
//! request → validated against the template → user resolved → row stored with its Idempotency-Key
//!         `work`: claimed at the account's rate → sent with `client_msg_id` → outcome → receipt (inbox)
//! ```
//!
//! Three submodules, in the order of a message's path: `accept` turns a request into a row,
//! `deliver` sends the row to WeChat, `outcome` records WeChat's answer in the row.
//!
//! A request is validated before anything is stored, so callers learn at once which users cannot be
//! reached and which content WeChat would refuse. Any process may send a stored message, but only
//! one does. Knows nothing of HTTP.

mod accept;
mod cleanup;
mod deliver;
mod error;
mod outcome;
mod templates;
mod view;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use tokio::sync::Notify;

use crate::model::{AccountKind, AppId, Channel};
use crate::resolve::{Accounts, Resolver};
use crate::store::{self, AccountId, Store};
use crate::wechat;

use accept::TemplateCache;

pub use accept::{AcceptResults, Accepted, IdempotentRequest, MessageSpec, SendRequest};
pub use error::{Error, Mistake, Refusal};
pub use templates::{
    Category, Industries, Industry, Keyword, LibraryTitle, SubscribeTemplate, Template,
};
pub use view::{ConsentView, DayCount, MessageFilter, MessageView};

/// Settings of the operator.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Messages per second that one account sends, over all processes.
    pub rate_per_second: u32,
    /// Concurrent sends per account in this process.
    pub concurrency: usize,
    /// Unsent messages expire after this time.
    pub expire_after: Duration,
    /// How long messages are kept.
    pub keep: Duration,
    /// Timeout of one call to WeChat.
    pub timeout: Duration,
    /// When failed sends are retried.
    pub retry: wechat::RetryPolicy,
}

/// What [`Push::new`] needs.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// Finds users in the sending account.
    pub resolver: Resolver,
    /// The configured accounts.
    pub accounts: Arc<Accounts>,
    /// The API client of every configured account, and the channel it sends by.
    pub senders: Vec<(Channel, wechat::Account)>,
    /// Settings of the operator.
    pub settings: Settings,
}

/// Accepts messages and sends them.
pub struct Push {
    store: Store,
    resolver: Resolver,
    accounts: Arc<Accounts>,
    senders: HashMap<AppId, Sender>,
    settings: Settings,
}

/// A sending account: an Official Account sends template messages, a Mini Program subscribe
/// messages.
struct Sender {
    channel: Channel,
    wechat: wechat::Account,
    /// Notified when this process accepts a message.
    wake: Notify,
    templates: TemplateCache,
    /// How many sends in a row ended without an answer from WeChat.
    lost_in_a_row: AtomicU32,
}

impl Push {
    /// Sends messages from these accounts.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { store, resolver, accounts, senders, settings } = parts;
        let senders = senders.into_iter().map(|(channel, wechat)| {
            let (wake, templates) = (Notify::new(), TemplateCache::default());
            let lost_in_a_row = AtomicU32::default();
            (wechat.appid().clone(), Sender { channel, wechat, wake, templates, lost_in_a_row })
        });
        let senders = senders.collect();
        Arc::new(Self { store, resolver, accounts, senders, settings })
    }

    /// The account that sends the message: the one it names, or the only one of its kind.
    pub fn sends(&self, spec: &MessageSpec) -> Result<&AppId, Error> {
        Ok(self.sender(spec.channel, spec.sender.as_ref())?.wechat.appid())
    }

    /// The sending account: the one named, or the only one of its kind.
    fn sender(&self, channel: Channel, requested: Option<&AppId>) -> Result<&Sender, Error> {
        let (kind, parameter) = match channel {
            Channel::Template => (AccountKind::OfficialAccount, "official_account"),
            Channel::Subscribe => (AccountKind::MiniProgram, "subscribe.appid"),
        };
        let appid = self.accounts.choose(kind, requested, parameter)?;
        let sender = self.senders.get(appid).filter(|sender| sender.channel == channel);
        sender.ok_or_else(|| self.accounts.unknown(kind, appid).into())
    }

    async fn account_id(&self, appid: &AppId) -> Result<AccountId, Error> {
        Ok(store::in_time(self.accounts.account_id(&self.store, appid)).await?)
    }
}
