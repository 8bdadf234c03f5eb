//! Login: exchanges a Mini Program's code for the user, with all known Official Account openids.
//!
//! ```text
//! code → cached? → jscode2session → user stored, erasure ended → answer
//! ```
//!
//! WeChat is called once per code, however often callers send it: concurrent requests with the same
//! code wait for one call, and the result is cached for a while. No database connection is held
//! during the call. The exchange continues when its caller disconnects, and a repeated request gets
//! its result. Knows nothing of HTTP.

mod budget;
mod code_cache;
mod error;
mod exchange;
mod record;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::model::{AccountKind, AppId, OpenId, UnclearAccount, UnionId};
use crate::resolve::Accounts;
use crate::seal::Sealer;
use crate::store::Store;
use crate::wechat;
use crate::wechat::login::LoginCode;

use budget::Budgets;
use code_cache::CodeCache;

pub use error::Error;

/// Maximum number of concurrent calls to WeChat. Reached only under a flood of requests, or when
/// WeChat has stopped answering.
const MAX_CONCURRENT_CALLS: usize = 2_000;

/// Settings of the operator.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The longest time until a caller is answered.
    pub timeout: Duration,
    /// How long the result of a code is cached.
    pub remember: Duration,
    /// How many codes of one caller WeChat may refuse per minute.
    pub refused_codes_per_minute: u32,
    /// Whether the session key of a user's latest login is stored.
    pub store_session_key: bool,
}

/// A Mini Program whose users log in.
pub struct Program {
    /// Its AppID.
    pub appid: AppId,
    /// Its AppSecret.
    pub secret: SecretString,
    /// Encrypts session keys.
    pub sealer: Sealer,
}

/// What [`Login::new`] needs.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The client of WeChat's API.
    pub client: wechat::Client,
    /// The configured accounts.
    pub accounts: Arc<Accounts>,
    /// The Mini Programs among them.
    pub programs: Vec<Program>,
    /// Settings of the operator.
    pub settings: Settings,
}

/// The request of a Mini Program's backend. `Debug` hides everything but the AppID.
#[derive(Clone, Default)]
pub struct Request {
    /// The Mini Program; `None` selects the only one configured.
    pub appid: Option<AppId>,
    /// The code from `wx.login`.
    pub code: String,
    /// `encryptedData` from `wx.getUserInfo`, sent with [`Request::iv`]. Contains the unionid if
    /// the login does not.
    pub encrypted_data: Option<String>,
    /// See [`Request::encrypted_data`].
    pub iv: Option<String>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("appid", &self.appid).finish_non_exhaustive()
    }
}

/// The user who logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The Mini Program.
    pub appid: AppId,
    /// The user in that Mini Program.
    pub openid: OpenId,
    /// The user across accounts, once known.
    pub unionid: Option<UnionId>,
    /// Whether this is the user's first login here.
    pub new_user: bool,
    /// The user in the Official Accounts that they follow or followed.
    pub official_accounts: Vec<OfficialAccount>,
}

/// A user in an Official Account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfficialAccount {
    /// The account.
    pub appid: AppId,
    /// The user in that account.
    pub openid: OpenId,
    /// Whether the user follows.
    pub subscribed: bool,
}

/// Exchanges login codes. Clones share the cache.
#[derive(Clone)]
pub struct Login(Arc<Shared>);

struct Shared {
    store: Store,
    client: wechat::Client,
    accounts: Arc<Accounts>,
    programs: HashMap<AppId, Program>,
    settings: Settings,
    codes: CodeCache,
    budgets: Budgets,
    permits: Semaphore,
}

/// A validated request.
struct ParsedRequest {
    appid: AppId,
    code: LoginCode,
    encrypted: Option<EncryptedData>,
}

struct EncryptedData {
    encrypted_data: String,
    iv: String,
}

impl Login {
    /// Exchanges codes of these Mini Programs.
    pub fn new(parts: Parts) -> Self {
        let Parts { store, client, accounts, programs, settings } = parts;
        let programs = programs.into_iter().map(|program| (program.appid.clone(), program));
        Self(Arc::new(Shared {
            store,
            client,
            accounts,
            programs: programs.collect(),
            settings,
            codes: CodeCache::new(settings.remember),
            budgets: Budgets::new(settings.refused_codes_per_minute),
            permits: Semaphore::new(MAX_CONCURRENT_CALLS),
        }))
    }

    /// The requested Mini Program, or the only one configured.
    pub fn program(&self, requested: Option<&AppId>) -> Result<&AppId, UnclearAccount> {
        self.0.program(requested)
    }

    /// Exchanges a code for `caller`, identified by the public part of an API key. The same caller
    /// gets the same answer again; for any other caller the code counts as used.
    pub async fn exchange(&self, caller: &str, request: Request) -> Result<Answer, Error> {
        let request = self.0.parse(request)?;
        let work = Arc::clone(&self.0).answer(caller, request);
        let outcome = tokio::time::timeout(self.0.settings.timeout, work).await;
        outcome.unwrap_or(Err(Error::TimedOut))
    }
}

impl Shared {
    fn parse(&self, request: Request) -> Result<ParsedRequest, Error> {
        let Request { appid, code, encrypted_data, iv } = request;
        let appid = self.program(appid.as_ref())?.clone();
        let code = code.parse()?;
        let encrypted = match (encrypted_data, iv) {
            (Some(encrypted_data), Some(iv)) => Some(EncryptedData { encrypted_data, iv }),
            (None, None) => None,
            _ => return Err(Error::SealedDataIncomplete),
        };
        Ok(ParsedRequest { appid, code, encrypted })
    }

    fn program(&self, requested: Option<&AppId>) -> Result<&AppId, UnclearAccount> {
        self.accounts.choose(AccountKind::MiniProgram, requested, "appid")
    }
}
