//! The vendor's answers: one request in, one JSON body or one refusal out.
//!
//! What every call has in common is here: the verb, the token, the quota. Bodies carry an errcode
//! only where the vendor's do. Knows nothing of connections.

mod admin;
mod legacy;
mod login;
mod newtmpl;
mod profile;
mod send;
mod template;
mod token;
mod user_data;
mod users;
mod values;

use std::collections::HashMap;
use std::net::IpAddr;

use bytes::Bytes;
pub(crate) use login::session_key;
use serde::de::DeserializeOwned;
pub(crate) use token::address_refused;
pub use user_data::UserData;
pub(crate) use user_data::encrypted_user_data;

use super::call::{Call, Verb};
use super::errcode::Refusal;
use super::fault::Fault;
use super::push::Report;
use super::world::{Account, Kind, World};

/// A request for one of the vendor's calls.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) call: Call,
    /// Absent where it is neither GET nor POST.
    pub(crate) verb: Option<Verb>,
    pub(crate) query: HashMap<String, String>,
    pub(crate) body: Bytes,
    /// The body came with `Transfer-Encoding: chunked`.
    pub(crate) chunked: bool,
    pub(crate) peer: IpAddr,
}

impl Ask {
    /// A parameter of the query; an empty one counts as missing.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The body as the JSON that the call takes.
    fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        if self.body.is_empty() {
            return Err(Refusal::of(44002));
        }
        serde_json::from_slice(&self.body).map_err(|_| Refusal::of(47001))
    }

    /// The account that the request is about, as far as it can be told before it is checked.
    pub(crate) fn account<'a>(&self, world: &'a World) -> Option<&'a Account> {
        if self.call.takes_token() {
            let number = world.tokens.owner(self.parameter("access_token")?)?;
            return world.accounts.get(number);
        }
        match self.parameter("appid") {
            Some(appid) => world.account(appid),
            None => world.account(&self.json::<token::Credentials>().ok()?.appid?),
        }
    }
}

/// A call that took effect.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) body: Vec<u8>,
    /// What the account is told of it besides.
    pub(crate) report: Option<Report>,
}

impl From<Vec<u8>> for Answered {
    fn from(body: Vec<u8>) -> Self {
        Self { body, report: None }
    }
}

/// What the vendor answers; `flaw` is what goes wrong inside the answer.
pub(crate) fn answer(world: &World, ask: &Ask, flaw: Option<&Fault>) -> Result<Answered, Refusal> {
    match (ask.call.verb(), ask.verb) {
        (Verb::Get, Some(Verb::Get)) | (Verb::Post, Some(Verb::Post)) => {}
        (Verb::Get, _) => return Err(Refusal::of(43001)),
        (Verb::Post, _) => return Err(Refusal::of(43002)),
    }
    let body = match ask.call {
        Call::Token => token::classic(world, ask),
        Call::StableToken => token::stable(world, ask),
        Call::Jscode2session => login::jscode2session(world, ask),
        Call::ClearQuotaV2 => admin::clear_quota_v2(world, ask),
        Call::TemplateSend => return send::template(world, ask, admit(world, ask)?, flaw),
        Call::SubscribeSend => return send::subscribe(world, ask, admit(world, ask)?, flaw),
        _ => answer_holder(world, ask, admit(world, ask)?, flaw),
    };
    body.map(Answered::from)
}

/// Lets a request with a good token of a fitting account through, and charges it.
fn admit<'a>(world: &'a World, ask: &Ask) -> Result<&'a Account, Refusal> {
    let token = ask.parameter("access_token").ok_or_else(|| Refusal::of(41001))?;
    let account = &world.accounts[world.tokens.check(token, world.now())?];
    let fits = match account.kind {
        Kind::Official => !ask.call.is_for_mini_programs(),
        Kind::MiniProgram => !ask.call.is_for_official_accounts(),
    };
    if !fits || account.state().switches.unauthorized {
        return Err(Refusal::of(48001));
    }
    charge(world, ask, account)?;
    Ok(account)
}

fn charge(world: &World, ask: &Ask, account: &Account) -> Result<(), Refusal> {
    world.desks[account.number].quotas.charge(ask.call, world.now())
}

fn answer_holder(
    world: &World,
    ask: &Ask,
    account: &Account,
    flaw: Option<&Fault>,
) -> Result<Vec<u8>, Refusal> {
    match ask.call {
        Call::UserGet => users::list(world, ask, account, flaw),
        Call::UserInfo => users::info(ask, account),
        Call::UserInfoBatchget => users::batch(ask, account, flaw),
        Call::TemplateList => template::list(world, account),
        Call::TemplateAdd => template::add(world, ask, account),
        Call::TemplateDelete => template::delete(world, ask, account),
        Call::IndustryGet => template::industry(world, account),
        Call::IndustrySet => template::set_industry(world, ask, account),
        Call::NewtmplCategories => Ok(newtmpl::categories()),
        Call::NewtmplTitles => newtmpl::titles(ask),
        Call::NewtmplKeywords => newtmpl::keywords(ask),
        Call::NewtmplList => Ok(newtmpl::list(world, account)),
        Call::NewtmplAdd => newtmpl::add(world, ask, account),
        Call::NewtmplDelete => newtmpl::delete(world, ask, account),
        Call::WxopenLibraryList
        | Call::WxopenLibraryGet
        | Call::WxopenAdd
        | Call::WxopenList
        | Call::WxopenDelete
        | Call::WxopenSend
        | Call::UniformSend => legacy::answer(world, ask, account),
        Call::QuotaGet => admin::quota(world, ask, account),
        Call::ClearQuota => admin::clear_quota(world, ask, account),
        Call::ApiDomainIp | Call::CallbackIp => Ok(admin::addresses()),
        Call::Token
        | Call::StableToken
        | Call::Jscode2session
        | Call::ClearQuotaV2
        | Call::TemplateSend
        | Call::SubscribeSend => Err(Refusal::of(-1)),
    }
}

/// The answer of calls that have nothing to say.
fn ok() -> Vec<u8> {
    br#"{"errcode":0,"errmsg":"ok"}"#.to_vec()
}

fn body(value: &serde_json::Value) -> Vec<u8> {
    value.to_string().into_bytes()
}
