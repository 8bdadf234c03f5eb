//! A Mini Program's login: `jscode2session`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::token::Credentials;
use super::{ApiRequest, body, charge};
use crate::sandbox::errcode::Refusal;
use crate::sandbox::fault::Quirk;
use crate::sandbox::random::mix;
use crate::sandbox::world::{Account, Kind, World};

/// `GET /sns/jscode2session`. Uses up a valid code even if the login is then refused.
pub(super) fn jscode2session(world: &World, request: &ApiRequest) -> Result<Vec<u8>, Refusal> {
    let credentials = Credentials::of_query(request);
    let account = credentials.account(world)?;
    if account.kind != Kind::MiniProgram {
        return Err(Refusal::of(40013));
    }
    if credentials.grant_type.as_deref() != Some("authorization_code") {
        return Err(Refusal::of(40002));
    }
    let code = request.parameter("js_code").ok_or_else(|| Refusal::of(41008))?;
    charge(world, request, account)?;
    let person = world.codes.redeem(code, account.number, None, world.now())?;
    let state = account.state();
    if state.population.has(person, Quirk::HighRisk) {
        return Err(Refusal::of(40226));
    }
    let mut answer = serde_json::json!({
        "session_key": STANDARD.encode(session_key(account, person)),
        "openid": account.openids.encode(person).as_str(),
    });
    let omit_unionid = state.population.has(person, Quirk::NoUnionidAtLogin);
    if let Some(unionid) = state.unionid(person).filter(|_| !omit_unionid) {
        answer["unionid"] = unionid.as_str().into();
    }
    Ok(body(&answer))
}

/// Returns the session key of a person's logins. It is the same for every login.
pub(crate) fn session_key(account: &Account, person: u64) -> [u8; 16] {
    let seed = mix(account.openids.secret(person));
    (u128::from(mix(seed ^ 2)) << 64 | u128::from(mix(seed ^ 1))).to_le_bytes()
}
