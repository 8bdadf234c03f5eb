//! Calls for quotas and IP addresses.

use serde::Deserialize;

use super::token::Credentials;
use super::{ApiRequest, body, ok};
use crate::sandbox::call::Call;
use crate::sandbox::errcode::Refusal;
use crate::sandbox::world::{Account, World};

/// The `daily_limit` of `quota/get` for a call without a limit.
const NO_LIMIT: u64 = 100_000_000;

#[derive(Debug, Deserialize)]
struct QuotaBody {
    #[serde(default)]
    cgi_path: String,
}

/// `POST /cgi-bin/openapi/quota/get`.
pub(super) fn quota(
    world: &World,
    request: &ApiRequest,
    account: &Account,
) -> Result<Vec<u8>, Refusal> {
    let QuotaBody { cgi_path } = request.json()?;
    if cgi_path.starts_with("/sns/") {
        return Err(Refusal::of(76022));
    }
    let call = Call::at(&cgi_path).ok_or_else(|| Refusal::of(76021))?;
    let (limit, used) = world.usage[account.number].quotas.limit_and_used(call, world.now());
    let limit = limit.unwrap_or(NO_LIMIT);
    Ok(body(&serde_json::json!({
        "errcode": 0,
        "errmsg": "ok",
        "quota": {"daily_limit": limit, "used": used, "remain": limit.saturating_sub(used)},
    })))
}

#[derive(Debug, Deserialize)]
struct ClearBody {
    #[serde(default)]
    appid: String,
}

/// `POST /cgi-bin/clear_quota`.
pub(super) fn clear_quota(
    world: &World,
    request: &ApiRequest,
    account: &Account,
) -> Result<Vec<u8>, Refusal> {
    let ClearBody { appid } = request.json()?;
    if appid != account.appid {
        return Err(Refusal::of(40013));
    }
    world.usage[account.number].quotas.clear(world.now())?;
    Ok(ok())
}

/// `POST /cgi-bin/clear_quota/v2`. Takes its parameters in the body or in the query.
pub(super) fn clear_quota_v2(world: &World, request: &ApiRequest) -> Result<Vec<u8>, Refusal> {
    let credentials =
        if request.body.is_empty() { Credentials::of_query(request) } else { request.json()? };
    let account = credentials.account(world)?;
    world.usage[account.number].quotas.clear(world.now())?;
    Ok(ok())
}

/// `GET /cgi-bin/get_api_domain_ip` and `GET /cgi-bin/getcallbackip`.
pub(super) fn addresses() -> Vec<u8> {
    body(&serde_json::json!({"ip_list": ["127.0.0.1"]}))
}
