//! Callbacks: handles WeChat's events as they happen, so that the mirror stays current between
//! nightly syncs.
//!
//! ```text
//! signature → body → event claimed once → effect, in one transaction → `success`
//!                                         profiles are fetched afterwards, by `checks`
//! ```
//!
//! A callback is answered once its effect is committed, and never waits for WeChat. Any process may
//! receive any event, repeatedly or out of order. Receipts of messages arrive in bursts and take a
//! path of their own: `receipts` records many in one transaction. Knows nothing of HTTP.

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
    /// The Token in WeChat's console.
    pub token: SecretString,
    /// The EncodingAESKey. If set, unencrypted callbacks are refused.
    pub encoding_aes_key: Option<SecretString>,
    /// Fetches profiles; `None` for a Mini Program.
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
    account_id: OnceCell<AccountId>,
    /// Notified when a profile check is scheduled.
    wake: Notify,
    /// When WeChat last refused a profile for a reason that applies to all calls.
    refused_at: Mutex<Option<Instant>>,
}

/// A callback whose query was accepted, before its body is read.
pub struct PendingCallback<'a> {
    inbox: &'a Inbox,
    account: &'a CallbackAccount,
    query: Query,
}

impl Inbox {
    /// Creates an inbox for these accounts and starts the tasks that commit receipts.
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
                account_id: OnceCell::new(),
                wake: Notify::new(),
                refused_at: Mutex::default(),
            };
            accounts.insert(appid, account);
        }
        let receipts = ReceiptWriter::spawn(&store);
        Ok(Arc::new(Self { store, accounts, receipts }))
    }

    /// Answers WeChat's check of the URL: returns the decoded `echostr`.
    pub fn echo(&self, appid: &AppId, query: &str) -> Result<String, Error> {
        let account = self.account(appid)?;
        Ok(account.receiver.echo(&query.parse()?)?)
    }

    /// Validates the query of a callback, including the signature if it covers only the query.
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
    /// Verifies, decrypts and handles the callback. Its effect is committed when this returns `Ok`.
    pub async fn receive(self, body: &[u8]) -> Result<(), Error> {
        let Self { inbox, account, query } = self;
        let notification = account.receiver.open(&query, body)?;
        let account_id = store::in_time(account.account_id(&inbox.store)).await?;
        match ReceiptBatch::of(&notification, &account.appid, account_id) {
            Some(batch) => Ok(inbox.receipts.record(batch).await?),
            None => Ok(store::in_time(inbox.handle(account, account_id, notification)).await?),
        }
    }
}

impl CallbackAccount {
    async fn account_id(&self, store: &Store) -> Result<AccountId, store::Error> {
        let account_id =
            self.account_id.get_or_try_init(|| accounts::find_or_insert(store, &self.appid));
        Ok(*account_id.await?)
    }
}
