//! Messages on their way out: who may get them, and the receipt that follows.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, Ask, body, values};
use crate::sandbox::errcode::Refusal;
use crate::sandbox::fault::{Fault, Quirk, Receipt};
use crate::sandbox::push::{Event, Report};
use crate::sandbox::world::{Account, Kind, SentMessage, State, World};

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
    let state = account.state();
    let person = follower(account, &state, &message.touser)?;
    let template = world.messages.template(account.number, &message.template_id);
    values::check(&template.ok_or_else(|| Refusal::of(40037))?, &message.data)?;
    if let Some(Jump { appid }) = &message.miniprogram {
        let jump = world.account(appid).filter(|target| target.kind == Kind::MiniProgram);
        jump.ok_or_else(|| Refusal::of(40013))?;
    }
    let sent = SentMessage {
        msgid: 0,
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
    admit(state, person)?;
    Ok(person)
}

/// Lets a person through who is not odd.
fn admit(state: &State, person: u64) -> Result<(), Refusal> {
    for quirk in state.population.quirks(person) {
        match quirk {
            Quirk::Poison => return Err(Refusal::of(40003)),
            Quirk::RefusesTemplates => return Err(Refusal::of(43101)),
            Quirk::Blacklisted => return Err(Refusal::of(43019)),
            _ => {}
        }
    }
    Ok(())
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
