//! Sends messages: checks whether the person may receive them, and prepares the receipt.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, ApiRequest, body, values};
use crate::sandbox::errcode::Refusal;
use crate::sandbox::fault::{Fault, Quirk, Receipt};
use crate::sandbox::push::{Event, PendingReceipt};
use crate::sandbox::world::{Account, Kind, SentMessage, State, TemplateKind, World};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TemplateMessage {
    touser: String,
    template_id: String,
    data: Value,
    client_msg_id: Option<String>,
    miniprogram: Option<MiniProgramLink>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MiniProgramLink {
    appid: String,
    pagepath: String,
}

impl MiniProgramLink {
    fn check(&self, world: &World) -> Result<(), Refusal> {
        let target = world.account(&self.appid);
        let target = target.filter(|target| target.kind == Kind::MiniProgram);
        target.ok_or_else(|| Refusal::of(40013))?;
        if is_missing(&self.pagepath) { Err(Refusal::of(40165)) } else { Ok(()) }
    }
}

/// `POST /cgi-bin/message/template/send`.
pub(super) fn template(
    world: &World,
    request: &ApiRequest,
    account: &Account,
    fault: Option<&Fault>,
) -> Result<Answered, Refusal> {
    let whole: Value = request.json()?;
    let message = TemplateMessage::deserialize(&whole).map_err(|_| Refusal::of(47001))?;
    if message.template_id.is_empty() {
        return Err(Refusal::of(40036));
    }
    let state = account.state();
    let person = find_follower(account, &state, &message.touser)?;
    let template =
        world.templates.find(account.number, TemplateKind::Official, &message.template_id)?;
    values::check(&template, &message.data)?;
    message.miniprogram.iter().try_for_each(|link| link.check(world))?;
    let sent = SentMessage {
        msgid: 0,
        call: request.call,
        appid: account.appid.clone(),
        openid: message.touser,
        person,
        template_id: message.template_id,
        client_msg_id: message.client_msg_id,
        body: whole,
    };
    let msgid = world.messages.accept(sent, world.now()).ok_or_else(|| Refusal::of(40241))?;
    let receipt = receipt(&state, person, fault);
    let event = Event::template_sent(person, msgid, receipt.outcome.status());
    Ok(accepted(account, msgid, event, receipt))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SubscribeMessage {
    touser: String,
    template_id: String,
    page: String,
    miniprogram_state: Option<String>,
    lang: Option<String>,
    data: Value,
}

/// The allowed values of `miniprogram_state`.
const STATES: &[&str] = &["developer", "trial", "formal"];

/// The allowed values of `lang`.
const LANGUAGES: &[&str] = &["zh_CN", "en_US", "zh_HK", "zh_TW"];

/// `POST /cgi-bin/message/subscribe/send`.
pub(super) fn subscribe(
    world: &World,
    request: &ApiRequest,
    account: &Account,
    fault: Option<&Fault>,
) -> Result<Answered, Refusal> {
    let whole: Value = request.json()?;
    let message = SubscribeMessage::deserialize(&whole).map_err(|_| Refusal::of(47001))?;
    let SubscribeMessage { touser, template_id, .. } = &message;
    let state = account.state();
    let person = find_user(account, &state, touser)?;
    let template = world.templates.find(account.number, TemplateKind::Subscribe, template_id)?;
    one_of(STATES, message.miniprogram_state.as_deref())?;
    one_of(LANGUAGES, message.lang.as_deref())?;
    check_page(&message.page)?;
    values::check(&template, &message.data)?;
    if !world.consents.take(account.number, person, template_id) {
        return Err(Refusal::of(43101));
    }
    let sent = SentMessage {
        msgid: 0,
        call: request.call,
        appid: account.appid.clone(),
        openid: message.touser,
        person,
        template_id: template.id.clone(),
        client_msg_id: None,
        body: whole,
    };
    let msgid = world.messages.accept(sent, world.now()).ok_or_else(|| Refusal::of(40241))?;
    let receipt = receipt(&state, person, fault);
    let outcome = (receipt.outcome.code(), receipt.outcome.status());
    let event = Event::subscribe_msg_sent(person, &template.id, msgid, outcome);
    Ok(accepted(account, msgid, event, receipt))
}

fn one_of(known: &[&str], given: Option<&str>) -> Result<(), Refusal> {
    let valid = given.is_none_or(|given| known.contains(&given));
    valid.then_some(()).ok_or_else(|| Refusal::of(40097))
}

/// Refuses a path that begins with `missing/` with 41030. The Mini Program has all other pages.
pub(super) fn check_page(path: &str) -> Result<(), Refusal> {
    if is_missing(path) { Err(Refusal::of(41030)) } else { Ok(()) }
}

fn is_missing(path: &str) -> bool {
    path.trim_start_matches('/').starts_with("missing/")
}

fn accepted(account: &Account, msgid: i64, event: Event, receipt: Receipt) -> Answered {
    let body = body(&json!({"errcode": 0, "errmsg": "ok", "msgid": msgid}));
    Answered { body, receipt: Some(PendingReceipt { account: account.number, event, receipt }) }
}

/// Returns the follower with this openid, or the refusal of messages to them.
fn find_follower(account: &Account, state: &State, openid: &str) -> Result<u64, Refusal> {
    let person = account.openids.decode(openid).ok_or_else(|| Refusal::of(40003))?;
    if !state.population.follows(person) {
        return Err(Refusal::of(43004));
    }
    find_user(account, state, openid)
}

/// Returns the person with this openid, or the refusal of messages to them.
pub(super) fn find_user(account: &Account, state: &State, openid: &str) -> Result<u64, Refusal> {
    let person = account.openids.decode(openid).ok_or_else(|| Refusal::of(40003))?;
    for quirk in state.population.quirks(person) {
        match quirk {
            Quirk::Poison => return Err(Refusal::of(40003)),
            Quirk::RefusesTemplates => return Err(Refusal::of(43101)),
            Quirk::SendErrcode(errcode) => return Err(Refusal::of(*errcode)),
            Quirk::Blacklisted => return Err(Refusal::of(43019)),
            _ => {}
        }
    }
    Ok(person)
}

/// Returns the receipt of the fault, else of the person's last receipt quirk, else the default.
fn receipt(state: &State, person: u64, fault: Option<&Fault>) -> Receipt {
    let quirks = state.population.quirks(person).iter().rev();
    let of_person = || {
        quirks.into_iter().find_map(|quirk| match quirk {
            Quirk::Receipt(receipt) => Some(*receipt),
            _ => None,
        })
    };
    match fault {
        Some(Fault::Receipt(receipt)) => *receipt,
        _ => of_person().unwrap_or_default(),
    }
}
