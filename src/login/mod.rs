//! Login: a Mini Program's code becomes a person, with every Official Account openid known of them.
//!
//! ```text
//! code → remembered? → jscode2session → user stored, erasure taken back → answer
//! ```
//!
//! WeChat is asked once for each code, whoever asks however often: equal codes in flight wait for one
//! call, and what became of a code is remembered for a while. No database connection is held while
//! WeChat is asked. Who stops waiting does not stop the exchange: it goes on, and a repetition finds
//! its answer. Knows nothing of HTTP.

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

/// Calls to WeChat under way at once; beyond it somebody floods us, or WeChat has stopped answering.
const MOST_AT_ONCE: usize = 2_000;

/// How logins are exchanged.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// After how long a caller is answered at the latest.
    pub timeout: Duration,
    /// For how long it is remembered what became of a code.
    pub remember: Duration,
    /// Codes a minute and caller that WeChat may refuse.
    pub refused_codes_per_minute: u32,
    /// Whether the session key of a user's latest login is kept.
    pub store_session_key: bool,
}

/// A Mini Program whose users log in.
pub struct Program {
    /// Its AppID.
    pub appid: AppId,
    /// Its AppSecret.
    pub secret: SecretString,
    /// Seals session keys.
    pub sealer: Sealer,
}

/// What a login works with.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The way to WeChat.
    pub client: wechat::Client,
    /// The accounts configured.
    pub accounts: Arc<Accounts>,
    /// The Mini Programs among them.
    pub programs: Vec<Program>,
    /// How.
    pub settings: Settings,
}

/// What a Mini Program's backend asks. Not shown in `Debug`.
#[derive(Clone, Default)]
pub struct Request {
    /// The Mini Program; may be left out where one is configured.
    pub appid: Option<AppId>,
    /// What `wx.login` gave.
    pub code: String,
    /// What `wx.getUserInfo` gave, with [`Request::iv`]: tells the unionid where the login does not.
    pub encrypted_data: Option<String>,
    /// See [`Request::encrypted_data`].
    pub iv: Option<String>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("appid", &self.appid).finish_non_exhaustive()
    }
}

/// Who logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The Mini Program.
    pub appid: AppId,
    /// The person in it.
    pub openid: OpenId,
    /// The person across accounts, once known.
    pub unionid: Option<UnionId>,
    /// Whether it is the first login here.
    pub new_user: bool,
    /// The person in the Official Accounts that they follow or followed.
    pub official_accounts: Vec<OfficialAccount>,
}

/// A person in an Official Account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfficialAccount {
    /// The account.
    pub appid: AppId,
    /// The person in it.
    pub openid: OpenId,
    /// Whether they follow.
    pub subscribed: bool,
}

/// Exchanges login codes. Clones share what they remember.
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
    places: Semaphore,
}

/// A request that makes sense.
struct Asked {
    appid: AppId,
    code: LoginCode,
    sealed: Option<Sealed>,
}

struct Sealed {
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
            places: Semaphore::new(MOST_AT_ONCE),
        }))
    }

    /// The Mini Program that is meant; the only one configured where none is named.
    pub fn program(&self, asked: Option<&AppId>) -> Result<&AppId, UnclearAccount> {
        self.0.program(asked)
    }

    /// Exchanges a code for `caller`, who is told apart by an API key's public part. The same caller
    /// asking again gets the same answer; to any other the code is used.
    pub async fn exchange(&self, caller: &str, request: Request) -> Result<Answer, Error> {
        let asked = self.0.check(request)?;
        let work = Arc::clone(&self.0).answer(caller, asked);
        let outcome = tokio::time::timeout(self.0.settings.timeout, work).await;
        outcome.unwrap_or(Err(Error::TimedOut))
    }
}

impl Shared {
    fn check(&self, request: Request) -> Result<Asked, Error> {
        let Request { appid, code, encrypted_data, iv } = request;
        let appid = self.program(appid.as_ref())?.clone();
        let code = code.parse()?;
        let sealed = match (encrypted_data, iv) {
            (Some(encrypted_data), Some(iv)) => Some(Sealed { encrypted_data, iv }),
            (None, None) => None,
            _ => return Err(Error::SealedDataIncomplete),
        };
        Ok(Asked { appid, code, sealed })
    }

    fn program(&self, asked: Option<&AppId>) -> Result<&AppId, UnclearAccount> {
        self.accounts.choose(AccountKind::MiniProgram, asked, "appid")
    }
}
