//! Push: a message to a person, kept until WeChat has taken it, and its fate until the receipt.
//!
//! ```text
//! request → checked against the template → person resolved → row, with its Idempotency-Key
//!         `work`: claimed at the account's pace → sent with `client_msg_id` → outcome → receipt (inbox)
//! ```
//!
//! Three rooms, in the order of a message's way: `accept`, from a request to a row; `deliver`, from the row
//! to WeChat; `outcome`, from WeChat's answer to the row.
//!
//! A request is judged before anything is kept: who cannot be reached, and what WeChat would refuse, is
//! told to the caller at once. What is kept is sent by any process, once. Knows nothing of HTTP.

mod accept;
mod deliver;
mod error;
mod forget;
mod outcome;
mod templates;
mod view;

use std::collections::HashMap;
use std::sync::Arc;
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

/// What the operator decides.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Messages a second that one account sends, by all processes together.
    pub rate_per_second: u32,
    /// Sends of one account in flight, by this process.
    pub concurrency: usize,
    /// After how long a message that could not be sent is given up.
    pub expire_after: Duration,
    /// For how long messages are kept.
    pub keep: Duration,
    /// How long one call of WeChat's may take.
    pub timeout: Duration,
    /// How soon a message is tried again.
    pub retry: wechat::RetryPolicy,
}

/// What a push works with.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// Finds the person in the account that sends.
    pub resolver: Resolver,
    /// The configured accounts.
    pub accounts: Arc<Accounts>,
    /// The calls of every configured account.
    pub senders: Vec<(Channel, wechat::Account)>,
    /// What the operator decides.
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

/// An account that sends: an Official Account template messages, a Mini Program subscribe messages.
struct Sender {
    channel: Channel,
    wechat: wechat::Account,
    /// Fires when a message was accepted here.
    wanted: Notify,
    templates: TemplateCache,
}

impl Push {
    /// For these accounts.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { store, resolver, accounts, senders, settings } = parts;
        let senders = senders.into_iter().map(|(channel, wechat)| {
            let (wanted, templates) = (Notify::new(), TemplateCache::default());
            (wechat.appid().clone(), Sender { channel, wechat, wanted, templates })
        });
        let senders = senders.collect();
        Arc::new(Self { store, resolver, accounts, senders, settings })
    }

    /// The account that sends a spec: the one it names, or the only one of its kind.
    pub fn sends(&self, spec: &MessageSpec) -> Result<&AppId, Error> {
        Ok(self.sender(spec.channel, spec.sender.as_ref())?.wechat.appid())
    }

    /// The account that is to send: the one named, or the only one of its kind.
    fn sender(&self, channel: Channel, named: Option<&AppId>) -> Result<&Sender, Error> {
        let (kind, parameter) = match channel {
            Channel::Template => (AccountKind::OfficialAccount, "official_account"),
            Channel::Subscribe => (AccountKind::MiniProgram, "subscribe.appid"),
        };
        let appid = self.accounts.choose(kind, named, parameter)?;
        let sender = self.senders.get(appid).filter(|sender| sender.channel == channel);
        sender.ok_or_else(|| self.accounts.unknown(kind, appid).into())
    }

    async fn number(&self, appid: &AppId) -> Result<AccountId, Error> {
        Ok(store::in_time(self.accounts.number(&self.store, appid)).await?)
    }
}
