//! Messages on their way out: who may get them, and the receipt that follows.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, Ask, body, values};
use crate::sandbox::errcode::Refusal;
use crate::sandbox::fault::{Fault, Quirk, Receipt};
use crate::sandbox::push::{Event, Report};
use crate::sandbox::world::{Account, Kind, SentMessage, Shelf, State, World};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TemplateMessage {
    touser: String,
    template_id: String,
    data: Value,
    client_msg_id: Option<String>,
    miniprogram: Option<Jump>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Jump {
    appid: String,
    pagepath: String,
}

impl Jump {
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
    ask: &Ask,
    account: &Account,
    flaw: Option<&Fault>,
) -> Result<Answered, Refusal> {
    let whole: Value = ask.json()?;
    let message = TemplateMessage::deserialize(&whole).map_err(|_| Refusal::of(47001))?;
    if message.template_id.is_empty() {
        return Err(Refusal::of(40036));
    }
    let state = account.state();
    let person = follower(account, &state, &message.touser)?;
    let template = world.templates.find(account.number, Shelf::Official, &message.template_id)?;
    values::check(&template, &message.data)?;
    message.miniprogram.iter().try_for_each(|jump| jump.check(world))?;
    let sent = SentMessage {
        msgid: 0,
        call: ask.call,
        appid: account.appid.clone(),
        openid: message.touser,
        person,
        template_id: message.template_id,
        client_msg_id: message.client_msg_id,
        body: whole,
    };
    let msgid = world.messages.accept(sent, world.now()).ok_or_else(|| Refusal::of(40241))?;
    let receipt = receipt(&state, person, flaw);
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

/// What `miniprogram_state` and `lang` may be.
const STATES: &[&str] = &["developer", "trial", "formal"];
const LANGUAGES: &[&str] = &["zh_CN", "en_US", "zh_HK", "zh_TW"];

/// `POST /cgi-bin/message/subscribe/send`.
pub(super) fn subscribe(
    world: &World,
    ask: &Ask,
    account: &Account,
    flaw: Option<&Fault>,
) -> Result<Answered, Refusal> {
    let whole: Value = ask.json()?;
    let message = SubscribeMessage::deserialize(&whole).map_err(|_| Refusal::of(47001))?;
    let SubscribeMessage { touser, template_id, .. } = &message;
    let state = account.state();
    let person = user(account, &state, touser)?;
    let template = world.templates.find(account.number, Shelf::Subscribe, template_id)?;
    one_of(STATES, message.miniprogram_state.as_deref())?;
    one_of(LANGUAGES, message.lang.as_deref())?;
    page(&message.page)?;
    values::check(&template, &message.data)?;
    if !world.consents.take(account.number, person, template_id) {
        return Err(Refusal::of(43101));
    }
    let sent = SentMessage {
        msgid: 0,
        call: ask.call,
        appid: account.appid.clone(),
        openid: message.touser,
        person,
        template_id: template.id.clone(),
        client_msg_id: None,
        body: whole,
    };
    let msgid = world.messages.accept(sent, world.now()).ok_or_else(|| Refusal::of(40241))?;
    let receipt = receipt(&state, person, flaw);
    let outcome = (receipt.outcome.code(), receipt.outcome.status());
    let event = Event::subscribe_msg_sent(person, &template.id, msgid, outcome);
    Ok(accepted(account, msgid, event, receipt))
}

fn one_of(known: &[&str], given: Option<&str>) -> Result<(), Refusal> {
    let fits = given.is_none_or(|given| known.contains(&given));
    fits.then_some(()).ok_or_else(|| Refusal::of(40097))
}

/// The released version has every page but those whose path begins with `missing/`.
pub(super) fn page(path: &str) -> Result<(), Refusal> {
    if is_missing(path) { Err(Refusal::of(41030)) } else { Ok(()) }
}

fn is_missing(path: &str) -> bool {
    path.trim_start_matches('/').starts_with("missing/")
}

fn accepted(account: &Account, msgid: i64, event: Event, receipt: Receipt) -> Answered {
    let body = body(&json!({"errcode": 0, "errmsg": "ok", "msgid": msgid}));
    Answered { body, report: Some(Report { account: account.number, event, receipt }) }
}

/// The follower, if messages reach them.
fn follower(account: &Account, state: &State, openid: &str) -> Result<u64, Refusal> {
    let person = account.openids.decode(openid).ok_or_else(|| Refusal::of(40003))?;
    if !state.population.follows(person) {
        return Err(Refusal::of(43004));
    }
    user(account, state, openid)
}

/// The user of a Mini Program, if messages reach them.
pub(super) fn user(account: &Account, state: &State, openid: &str) -> Result<u64, Refusal> {
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

/// The fault's, or the latest that the person was given, or a plain success.
fn receipt(state: &State, person: u64, flaw: Option<&Fault>) -> Receipt {
    let quirks = state.population.quirks(person).iter().rev();
    let own = || {
        quirks.into_iter().find_map(|quirk| match quirk {
            Quirk::Receipt(receipt) => Some(*receipt),
            _ => None,
        })
    };
    match flaw {
        Some(Fault::Receipt(receipt)) => *receipt,
        _ => own().unwrap_or_default(),
    }
}
