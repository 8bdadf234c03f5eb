//! Callbacks: what WeChat tells as it happens, so that the mirror is true between nights.
//!
//! ```text
//! signature → body → event claimed once → effect, in one transaction → `success`
//!                                         profiles are asked for afterwards, by `checks`
//! ```
//!
//! An answer is given once the effect is committed, and never waits for WeChat. Any process may get
//! any event, twice or out of order. Receipts of messages come in storms, and go their own way: many in
//! one transaction, by `receipts`. Knows nothing of HTTP.

mod checks;
mod effect;
mod error;
mod receipts;
mod work;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use secrecy::SecretString;
use tokio::sync::{Notify, OnceCell};
use tokio::time::Instant;

use crate::model::AppId;
use crate::store::{self, AccountId, Store, accounts};
use crate::wechat;
use crate::wechat::callback::{Query, Receiver};
use receipts::{Bundle, Gatherer};

pub use error::Error;

/// An account that WeChat sends callbacks for.
pub struct Settings {
    /// Its AppID.
    pub appid: AppId,
    /// The Token of WeChat's console.
    pub token: SecretString,
    /// The EncodingAESKey; where it is given, plain pushes are refused.
    pub encoding_aes_key: Option<SecretString>,
    /// Asks for profiles; `None` for a Mini Program.
    pub followers: Option<wechat::Account>,
}

/// Receives callbacks of all accounts.
pub struct Inbox {
    store: Store,
    mailboxes: HashMap<AppId, Mailbox>,
    receipts: Gatherer,
}

struct Mailbox {
    appid: AppId,
    receiver: Receiver,
    followers: Option<wechat::Account>,
    number: OnceCell<AccountId>,
    /// Fires when a profile is to be asked for.
    wanted: Notify,
    /// When WeChat last refused to tell anybody's profile.
    refused: Mutex<Option<Instant>>,
}

/// A callback whose signature may be good, before its body is read.
pub struct Letter<'a> {
    inbox: &'a Inbox,
    mailbox: &'a Mailbox,
    query: Query,
}

impl Inbox {
    /// An inbox for these accounts. Starts the tasks that commit receipts.
    pub fn new(
        store: Store,
        accounts: impl IntoIterator<Item = Settings>,
    ) -> Result<Arc<Self>, wechat::callback::SetupError> {
        let mut mailboxes = HashMap::new();
        for account in accounts {
            let Settings { appid, token, encoding_aes_key, followers } = account;
            let receiver = Receiver::new(appid.clone(), token, encoding_aes_key.as_ref())?;
            let mailbox = Mailbox {
                appid: appid.clone(),
                receiver,
                followers,
                number: OnceCell::new(),
                wanted: Notify::new(),
                refused: Mutex::default(),
            };
            mailboxes.insert(appid, mailbox);
        }
        let receipts = Gatherer::spawn(&store);
        Ok(Arc::new(Self { store, mailboxes, receipts }))
    }

    /// WeChat's check of the URL: the `echostr` to answer with.
    pub fn echo(&self, appid: &AppId, query: &str) -> Result<String, Error> {
        let mailbox = self.mailbox(appid)?;
        Ok(mailbox.receiver.echo(&query.parse()?)?)
    }

    /// Judges a callback by its query, as far as that goes.
    pub fn admit(&self, appid: &AppId, query: &str) -> Result<Letter<'_>, Error> {
        let mailbox = self.mailbox(appid)?;
        let query = query.parse()?;
        mailbox.receiver.admit(&query)?;
        Ok(Letter { inbox: self, mailbox, query })
    }

    fn mailbox(&self, appid: &AppId) -> Result<&Mailbox, Error> {
        self.mailboxes.get(appid).ok_or_else(|| Error::UnknownAccount(appid.clone()))
    }
}

impl Letter<'_> {
    /// Judges, opens and handles the callback. When this returns `Ok`, its effect is committed.
    pub async fn receive(self, body: &[u8]) -> Result<(), Error> {
        let Self { inbox, mailbox, query } = self;
        let push = mailbox.receiver.open(&query, body)?;
        let account = store::in_time(mailbox.number(&inbox.store)).await?;
        match Bundle::of(&push, &mailbox.appid, account) {
            Some(bundle) => Ok(inbox.receipts.record(bundle).await?),
            None => Ok(store::in_time(inbox.handle(mailbox, account, push)).await?),
        }
    }
}

impl Mailbox {
    async fn number(&self, store: &Store) -> Result<AccountId, store::Error> {
        let number = self.number.get_or_try_init(|| accounts::find_or_insert(store, &self.appid));
        Ok(*number.await?)
    }
}
