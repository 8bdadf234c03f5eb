//! Issues access tokens for an AppID and its AppSecret.

use std::net::IpAddr;

use serde::Deserialize;

use super::{ApiRequest, body, charge};
use crate::sandbox::errcode::Refusal;
use crate::sandbox::world::{Account, World};

/// The credentials of a caller without a token.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Credentials {
    pub(super) appid: Option<String>,
    pub(super) secret: Option<String>,
    pub(super) appsecret: Option<String>,
    pub(super) grant_type: Option<String>,
    force_refresh: bool,
}

impl Credentials {
    /// Reads the credentials from the query.
    pub(super) fn of_query(request: &ApiRequest) -> Self {
        let parameter = |name| request.parameter(name).map(str::to_owned);
        Self {
            appid: parameter("appid"),
            secret: parameter("secret"),
            appsecret: parameter("appsecret"),
            grant_type: parameter("grant_type"),
            force_refresh: false,
        }
    }

    /// Checks the AppSecret and returns the account.
    pub(super) fn account<'a>(&self, world: &'a World) -> Result<&'a Account, Refusal> {
        let appid = self.appid.as_deref().ok_or_else(|| Refusal::of(41002))?;
        let secret = self.secret.as_deref().or(self.appsecret.as_deref());
        let secret = secret.ok_or_else(|| Refusal::of(41004))?;
        let account = world.account(appid).ok_or_else(|| Refusal::of(40013))?;
        (account.secret == secret).then_some(account).ok_or_else(|| Refusal::of(40125))
    }
}

/// `GET /cgi-bin/token`.
pub(super) fn classic(world: &World, request: &ApiRequest) -> Result<Vec<u8>, Refusal> {
    let account = authenticate(world, request, &Credentials::of_query(request))?;
    let issued = world.tokens.classic(account.number, world.now());
    Ok(token_body(&issued.token, issued.expires_in_seconds))
}

/// `POST /cgi-bin/stable_token`.
pub(super) fn stable(world: &World, request: &ApiRequest) -> Result<Vec<u8>, Refusal> {
    let credentials: Credentials = request.json()?;
    let account = authenticate(world, request, &credentials)?;
    let issued = world.tokens.stable(account.number, credentials.force_refresh, world.now())?;
    Ok(token_body(&issued.token, issued.expires_in_seconds))
}

/// Checks the grant type, the credentials and the caller's address, and charges the call.
fn authenticate<'a>(
    world: &'a World,
    request: &ApiRequest,
    credentials: &Credentials,
) -> Result<&'a Account, Refusal> {
    if credentials.grant_type.as_deref() != Some("client_credential") {
        return Err(Refusal::of(40002));
    }
    let account = credentials.account(world)?;
    if account.state().switches.address_refused {
        return Err(address_refused(request.peer));
    }
    charge(world, request, account)?;
    Ok(account)
}

/// Returns the refusal of a caller whose IP address is not on the account's whitelist. The message contains
/// an IPv4 address in both forms.
pub(crate) fn address_refused(peer: IpAddr) -> Refusal {
    let text = match peer {
        IpAddr::V4(v4) => format!("invalid ip {v4} ipv6 ::ffff:{v4}, not in whitelist"),
        IpAddr::V6(v6) => format!("invalid ip {v6}, not in whitelist"),
    };
    Refusal::with_message(40164, text)
}

fn token_body(token: &str, expires_in: i64) -> Vec<u8> {
    body(&serde_json::json!({"access_token": token, "expires_in": expires_in}))
}
