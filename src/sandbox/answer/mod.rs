//! WeChat's responses: turns one request into one JSON body or one refusal.
//!
//! This file does what all calls have in common: HTTP method, token and quota checks. Bodies contain an
//! errcode only if WeChat's do. Knows nothing of connections.

mod admin;
mod legacy;
mod login;
mod profile;
mod send;
mod subscribe_templates;
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
use super::push::PendingReceipt;
use super::world::{Account, Kind, World};

/// A request for an API call.
#[derive(Debug)]
pub(crate) struct ApiRequest {
    pub(crate) call: Call,
    /// `None` if the method is neither GET nor POST.
    pub(crate) verb: Option<Verb>,
    pub(crate) query: HashMap<String, String>,
    pub(crate) body: Bytes,
    /// Whether the request has a `Transfer-Encoding` header.
    pub(crate) chunked: bool,
    pub(crate) peer: IpAddr,
}

impl ApiRequest {
    /// Returns a parameter of the query. An empty parameter counts as missing.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Parses the body as JSON.
    fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        if self.body.is_empty() {
            return Err(Refusal::of(44002));
        }
        serde_json::from_slice(&self.body).map_err(|_| Refusal::of(47001))
    }

    /// Returns the account that the request names, before its credentials are checked.
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
    /// The receipt to push to the account.
    pub(crate) receipt: Option<PendingReceipt>,
}

impl From<Vec<u8>> for Answered {
    fn from(body: Vec<u8>) -> Self {
        Self { body, receipt: None }
    }
}

/// Executes a call and returns the response. `fault` applies to the content of the response.
pub(crate) fn answer(
    world: &World,
    request: &ApiRequest,
    fault: Option<&Fault>,
) -> Result<Answered, Refusal> {
    match (request.call.verb(), request.verb) {
        (Verb::Get, Some(Verb::Get)) | (Verb::Post, Some(Verb::Post)) => {}
        (Verb::Get, _) => return Err(Refusal::of(43001)),
        (Verb::Post, _) => return Err(Refusal::of(43002)),
    }
    let body = match request.call {
        Call::Token => token::classic(world, request),
        Call::StableToken => token::stable(world, request),
        Call::Jscode2session => login::jscode2session(world, request),
        Call::ClearQuotaV2 => admin::clear_quota_v2(world, request),
        Call::TemplateSend => {
            return send::template(world, request, authorize(world, request)?, fault);
        }
        Call::SubscribeSend => {
            return send::subscribe(world, request, authorize(world, request)?, fault);
        }
        _ => answer_authorized(world, request, authorize(world, request)?, fault),
    };
    body.map(Answered::from)
}

/// Checks the access token and the kind of the account, and charges the call. Returns the account.
fn authorize<'a>(world: &'a World, request: &ApiRequest) -> Result<&'a Account, Refusal> {
    let token = request.parameter("access_token").ok_or_else(|| Refusal::of(41001))?;
    let account = &world.accounts[world.tokens.check(token, world.now())?];
    let allowed = match account.kind {
        Kind::Official => !request.call.is_for_mini_programs(),
        Kind::MiniProgram => !request.call.is_for_official_accounts(),
    };
    if !allowed || account.state().switches.unauthorized {
        return Err(Refusal::of(48001));
    }
    charge(world, request, account)?;
    Ok(account)
}

fn charge(world: &World, request: &ApiRequest, account: &Account) -> Result<(), Refusal> {
    world.usage[account.number].quotas.charge(request.call, world.now())
}

fn answer_authorized(
    world: &World,
    request: &ApiRequest,
    account: &Account,
    fault: Option<&Fault>,
) -> Result<Vec<u8>, Refusal> {
    match request.call {
        Call::UserGet => users::list(world, request, account, fault),
        Call::UserInfo => users::info(request, account),
        Call::UserInfoBatchget => users::batch(request, account, fault),
        Call::TemplateList => template::list(world, account),
        Call::TemplateAdd => template::add(world, request, account),
        Call::TemplateDelete => template::delete(world, request, account),
        Call::IndustryGet => template::industry(world, account),
        Call::IndustrySet => template::set_industry(world, request, account),
        Call::NewtmplCategories => Ok(subscribe_templates::categories()),
        Call::NewtmplTitles => subscribe_templates::titles(request),
        Call::NewtmplKeywords => subscribe_templates::keywords(request),
        Call::NewtmplList => Ok(subscribe_templates::list(world, account)),
        Call::NewtmplAdd => subscribe_templates::add(world, request, account),
        Call::NewtmplDelete => subscribe_templates::delete(world, request, account),
        Call::WxopenLibraryList
        | Call::WxopenLibraryGet
        | Call::WxopenAdd
        | Call::WxopenList
        | Call::WxopenDelete
        | Call::WxopenSend
        | Call::UniformSend => legacy::answer(world, request, account),
        Call::QuotaGet => admin::quota(world, request, account),
        Call::ClearQuota => admin::clear_quota(world, request, account),
        Call::ApiDomainIp | Call::CallbackIp => Ok(admin::addresses()),
        Call::Token
        | Call::StableToken
        | Call::Jscode2session
        | Call::ClearQuotaV2
        | Call::TemplateSend
        | Call::SubscribeSend => Err(Refusal::of(-1)),
    }
}

/// Returns the response of calls without a result.
fn ok() -> Vec<u8> {
    br#"{"errcode":0,"errmsg":"ok"}"#.to_vec()
}

fn body(value: &serde_json::Value) -> Vec<u8> {
    value.to_string().into_bytes()
}
