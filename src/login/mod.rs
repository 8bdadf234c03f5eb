//! Login: a Mini Program's code becomes the person, their link, and their openids elsewhere.
//!
//! ```text
//! code → seen lately? → jscode2session, once a code → link recorded → openids already known
//! ```
//!
//! A code is sent to WeChat once, whoever asks however often; what came of it is remembered for a
//! minute ([`codes`]). No database connection is held while WeChat is asked, and the wait ends at a
//! deadline of our own. A login is an act of the person: it takes an erasure back. Knows nothing of HTTP.

mod codes;
mod error;
mod exchange;
mod refusals;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde::Serialize;

use crate::clock::Clock;
use crate::model::{AppId, OpenId, UnionId};
use crate::resolve::Accounts;
use crate::seal::Sealer;
use crate::store::Store;
use crate::wechat;

use codes::Codes;
use refusals::Refusals;

pub use crate::wechat::login::LoginCode;
pub use error::{Error, Trouble};

/// How logins are done.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// After how long a login is answered although WeChat has not.
    pub timeout: Duration,
    /// Whether the session key of the latest login is kept, sealed.
    pub store_session_key: bool,
    /// Codes a minute that WeChat may refuse before a caller has to wait.
    pub refused_codes_per_minute: u32,
}

/// What a Mini Program's logins need.
pub struct Program {
    /// The AppSecret.
    pub secret: SecretString,
    /// Seals session keys.
    pub sealer: Sealer,
}

/// A login to exchange.
#[derive(Debug, Clone)]
pub struct Request {
    /// The Mini Program; may be left out where one is configured.
    pub appid: Option<AppId>,
    /// What `wx.login` gave.
    pub code: LoginCode,
    /// What `wx.getUserInfo` gave: the second source of a unionid.
    pub sealed: Option<SealedData>,
}

/// Data about the person that WeChat sealed for this session.
#[derive(Debug, Clone)]
pub struct SealedData {
    /// Base64.
    pub encrypted_data: String,
    /// Base64 of 16 bytes.
    pub iv: String,
}

/// Who logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The Mini Program.
    pub appid: AppId,
    /// The person in it.
    pub openid: OpenId,
    /// The person across accounts; absent where WeChat tells none.
    pub unionid: Option<UnionId>,
    /// Whether the person was never seen in this Mini Program before.
    pub new_user: bool,
    /// The person in every Official Account where they are known.
    pub official_accounts: Vec<InOfficialAccount>,
}

/// The person in an Official Account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InOfficialAccount {
    /// The account.
    pub appid: AppId,
    /// The person in it.
    pub openid: OpenId,
    /// Whether they follow.
    pub subscribed: bool,
}

/// Exchanges login codes.
pub struct Login {
    store: Store,
    client: wechat::Client,
    clock: Clock,
    settings: Settings,
    accounts: Arc<Accounts>,
    programs: HashMap<AppId, Program>,
    codes: Codes,
    refusals: Refusals,
}

impl Login {
    /// Logins of these Mini Programs.
    pub fn new(
        store: Store,
        client: wechat::Client,
        clock: Clock,
        settings: Settings,
        accounts: Arc<Accounts>,
        programs: impl IntoIterator<Item = (AppId, Program)>,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            client,
            clock,
            settings,
            accounts,
            programs: programs.into_iter().collect(),
            codes: Codes::default(),
            refusals: Refusals::new(settings.refused_codes_per_minute),
        })
    }

    /// The Mini Program that is meant.
    pub fn program(&self, asked: Option<&AppId>) -> Result<&AppId, Error> {
        let known = self.accounts.programs();
        match (asked, known) {
            (None, [only]) => Ok(only),
            (None, several) => Err(Error::MiniProgramNeeded { known: several.to_vec() }),
            (Some(asked), known) => known.iter().find(|appid| *appid == asked).ok_or_else(|| {
                Error::UnknownMiniProgram { appid: asked.clone(), known: known.to_vec() }
            }),
        }
    }

    /// Exchanges a code for `caller`, who is told from others so that none gets another's answer.
    pub async fn exchange(
        self: &Arc<Self>,
        caller: &str,
        request: Request,
    ) -> Result<Answer, Error> {
        let appid = self.program(request.appid.as_ref())?.clone();
        self.refusals.admit(caller)?;
        let answer = self.answer(caller, &appid, request);
        tokio::time::timeout(self.settings.timeout, answer).await.map_err(|_| Error::TimedOut)?
    }
}
