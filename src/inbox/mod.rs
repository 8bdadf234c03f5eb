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
use receipts::{ReceiptBatch, ReceiptWriter};

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
    accounts: HashMap<AppId, CallbackAccount>,
    receipts: ReceiptWriter,
}

struct CallbackAccount {
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
pub struct PendingCallback<'a> {
    inbox: &'a Inbox,
    account: &'a CallbackAccount,
    query: Query,
}

impl Inbox {
    /// An inbox for these accounts. Starts the tasks that commit receipts.
    pub fn new(
        store: Store,
        settings: impl IntoIterator<Item = Settings>,
    ) -> Result<Arc<Self>, wechat::callback::SetupError> {
        let mut accounts = HashMap::new();
        for Settings { appid, token, encoding_aes_key, followers } in settings {
            let receiver = Receiver::new(appid.clone(), token, encoding_aes_key.as_ref())?;
            let account = CallbackAccount {
                appid: appid.clone(),
                receiver,
                followers,
                number: OnceCell::new(),
                wanted: Notify::new(),
                refused: Mutex::default(),
            };
            accounts.insert(appid, account);
        }
        let receipts = ReceiptWriter::spawn(&store);
        Ok(Arc::new(Self { store, accounts, receipts }))
    }

    /// WeChat's check of the URL: the `echostr` to answer with.
    pub fn echo(&self, appid: &AppId, query: &str) -> Result<String, Error> {
        let account = self.account(appid)?;
        Ok(account.receiver.echo(&query.parse()?)?)
    }

    /// Judges a callback by its query, as far as that goes.
    pub fn admit(&self, appid: &AppId, query: &str) -> Result<PendingCallback<'_>, Error> {
        let account = self.account(appid)?;
        let query = query.parse()?;
        account.receiver.admit(&query)?;
        Ok(PendingCallback { inbox: self, account, query })
    }

    fn account(&self, appid: &AppId) -> Result<&CallbackAccount, Error> {
        self.accounts.get(appid).ok_or_else(|| Error::UnknownAccount(appid.clone()))
    }
}

impl PendingCallback<'_> {
    /// Judges, opens and handles the callback. When this returns `Ok`, its effect is committed.
    pub async fn receive(self, body: &[u8]) -> Result<(), Error> {
        let Self { inbox, account, query } = self;
        let notification = account.receiver.open(&query, body)?;
        let number = store::in_time(account.number(&inbox.store)).await?;
        match ReceiptBatch::of(&notification, &account.appid, number) {
            Some(batch) => Ok(inbox.receipts.record(batch).await?),
            None => Ok(store::in_time(inbox.handle(account, number, notification)).await?),
        }
    }
}

impl CallbackAccount {
    async fn number(&self, store: &Store) -> Result<AccountId, store::Error> {
        let number = self.number.get_or_try_init(|| accounts::find_or_insert(store, &self.appid));
        Ok(*number.await?)
    }
}
