//! Access tokens for an AppID and its AppSecret.

use std::net::IpAddr;

use serde::Deserialize;

use super::{Ask, body, charge};
use crate::sandbox::errcode::Refusal;
use crate::sandbox::world::{Account, World};

/// What a caller without a token shows.
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
    /// Those in the query.
    pub(super) fn of_query(ask: &Ask) -> Self {
        let parameter = |name| ask.parameter(name).map(str::to_owned);
        Self {
            appid: parameter("appid"),
            secret: parameter("secret"),
            appsecret: parameter("appsecret"),
            grant_type: parameter("grant_type"),
            force_refresh: false,
        }
    }

    /// The account whose secret it is.
    pub(super) fn account<'a>(&self, world: &'a World) -> Result<&'a Account, Refusal> {
        let appid = self.appid.as_deref().ok_or_else(|| Refusal::of(41002))?;
        let secret = self.secret.as_deref().or(self.appsecret.as_deref());
        let secret = secret.ok_or_else(|| Refusal::of(41004))?;
        let account = world.account(appid).ok_or_else(|| Refusal::of(40013))?;
        (account.secret == secret).then_some(account).ok_or_else(|| Refusal::of(40125))
    }
}

/// `GET /cgi-bin/token`.
pub(super) fn classic(world: &World, ask: &Ask) -> Result<Vec<u8>, Refusal> {
    let account = open_desk(world, ask, &Credentials::of_query(ask))?;
    let issued = world.tokens.classic(account.number, world.now());
    Ok(token_body(&issued.token, issued.expires_in_seconds))
}

/// `POST /cgi-bin/stable_token`.
pub(super) fn stable(world: &World, ask: &Ask) -> Result<Vec<u8>, Refusal> {
    let credentials: Credentials = ask.json()?;
    let account = open_desk(world, ask, &credentials)?;
    let issued = world.tokens.stable(account.number, credentials.force_refresh, world.now())?;
    Ok(token_body(&issued.token, issued.expires_in_seconds))
}

fn open_desk<'a>(
    world: &'a World,
    ask: &Ask,
    credentials: &Credentials,
) -> Result<&'a Account, Refusal> {
    if credentials.grant_type.as_deref() != Some("client_credential") {
        return Err(Refusal::of(40002));
    }
    let account = credentials.account(world)?;
    if account.state().switches.address_refused {
        return Err(address_refused(ask.peer));
    }
    charge(world, ask, account)?;
    Ok(account)
}

/// The refusal of a caller whose address is not on the account's list, in both of its forms.
pub(crate) fn address_refused(peer: IpAddr) -> Refusal {
    let text = match peer {
        IpAddr::V4(v4) => format!("invalid ip {v4} ipv6 ::ffff:{v4}, not in whitelist"),
        IpAddr::V6(v6) => format!("invalid ip {v6}, not in whitelist"),
    };
    Refusal::saying(40164, text)
}

fn token_body(token: &str, expires_in: i64) -> Vec<u8> {
    body(&serde_json::json!({"access_token": token, "expires_in": expires_in}))
}
