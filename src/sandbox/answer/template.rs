//! Template messages: sending them, and the account's templates and industries.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Ask, body, ok};
use crate::sandbox::errcode::Refusal;
use crate::sandbox::fault::Quirk;
use crate::sandbox::world::{Account, Kind, SentMessage, State, Template, World};

/// Templates that an account may have.
const TEMPLATES: usize = 25;

/// How many characters a value may have, by the beginning of its key.
const LIMITS: &[(&str, usize)] = &[
    ("short_thing", 5),
    ("thing", 20),
    ("character_string", 32),
    ("number", 32),
    ("letter", 32),
    ("symbol", 5),
    ("phone_number", 17),
    ("car_number", 8),
    ("phrase", 5),
    ("name", 20),
    ("const", 20),
];

#[derive(Debug, Deserialize)]
#[serde(default)]
struct Message {
    touser: String,
    template_id: String,
    data: Value,
    client_msg_id: Option<String>,
    miniprogram: Option<Jump>,
}

impl Default for Message {
    fn default() -> Self {
        Self {
            touser: String::new(),
            template_id: String::new(),
            data: Value::Null,
            client_msg_id: None,
            miniprogram: None,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Jump {
    #[serde(default)]
    appid: String,
}

/// `POST /cgi-bin/message/template/send`.
pub(super) fn send(world: &World, ask: &Ask, account: &Account) -> Result<Vec<u8>, Refusal> {
    let whole: Value = ask.json()?;
    let message = Message::deserialize(&whole).map_err(|_| Refusal::of(47001))?;
    let person = receiver(account, &account.state(), &message.touser)?;
    let template = world.messages.template(account.number, &message.template_id);
    check_data(&template.ok_or_else(|| Refusal::of(40037))?, &message.data)?;
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
    Ok(body(&json!({"errcode": 0, "errmsg": "ok", "msgid": msgid})))
}

/// The person, if messages reach them.
fn receiver(account: &Account, state: &State, openid: &str) -> Result<u64, Refusal> {
    let person = account.openids.decode(openid).ok_or_else(|| Refusal::of(40003))?;
    if !state.population.follows(person) {
        return Err(Refusal::of(43004));
    }
    for quirk in state.population.quirks(person) {
        match quirk {
            Quirk::Poison => return Err(Refusal::of(40003)),
            Quirk::RefusesTemplates => return Err(Refusal::of(43101)),
            Quirk::Blacklisted => return Err(Refusal::of(43019)),
            _ => {}
        }
    }
    Ok(person)
}

/// Every key of the template needs a value that its kind allows.
fn check_data(template: &Template, data: &Value) -> Result<(), Refusal> {
    for key in template.keys() {
        let value = data[key]["value"].as_str().unwrap_or_default();
        if value.is_empty() {
            return Err(invalid(format!("data.{key}.value is empty")));
        }
        let limit = LIMITS.iter().find(|(kind, _)| key.starts_with(kind));
        if limit.is_some_and(|(_, limit)| value.chars().count() > *limit) {
            return Err(invalid(format!("data.{key}.value invalid")));
        }
    }
    Ok(())
}

fn invalid(what: String) -> Refusal {
    Refusal::saying(47003, format!("argument invalid! {what}"))
}

/// `GET /cgi-bin/template/get_all_private_template`.
pub(super) fn list(world: &World, account: &Account) -> Result<Vec<u8>, Refusal> {
    Ok(body(&json!({"template_list": world.messages.templates(account.number)})))
}

#[derive(Debug, Deserialize)]
struct Addition {
    #[serde(default)]
    template_id_short: String,
    #[serde(default)]
    keyword_name_list: Vec<String>,
}

/// `POST /cgi-bin/template/api_add_template`. A template of a category (its number is all digits)
/// needs its keywords; the others get one.
pub(super) fn add(world: &World, ask: &Ask, account: &Account) -> Result<Vec<u8>, Refusal> {
    let Addition { template_id_short, keyword_name_list } = ask.json()?;
    let of_category = template_id_short.bytes().all(|byte| byte.is_ascii_digit());
    let known = template_id_short.starts_with("TM") || template_id_short.starts_with("OPENTM");
    if template_id_short.is_empty() || !(of_category || known) {
        return Err(Refusal::of(40037));
    }
    if of_category && keyword_name_list.is_empty() {
        return Err(Refusal::of(40246));
    }
    if world.messages.templates(account.number).len() >= TEMPLATES {
        return Err(Refusal::of(45026));
    }
    let keywords = keys(&keyword_name_list);
    let id = world.messages.add_template(account.number, &template_id_short, &keywords);
    Ok(body(&json!({"errcode": 0, "errmsg": "ok", "template_id": id})))
}

/// The sandbox has no library of keywords: each becomes a `thing`, in the order given.
fn keys(keywords: &[String]) -> Vec<String> {
    (1..=keywords.len().max(1)).map(|n| format!("thing{n}")).collect()
}

#[derive(Debug, Deserialize)]
struct Removal {
    #[serde(default)]
    template_id: String,
}

/// `POST /cgi-bin/template/del_private_template`.
pub(super) fn delete(world: &World, ask: &Ask, account: &Account) -> Result<Vec<u8>, Refusal> {
    let Removal { template_id } = ask.json()?;
    let deleted = world.messages.delete_template(account.number, &template_id);
    deleted.then(ok).ok_or_else(|| Refusal::of(40037))
}

/// `GET /cgi-bin/template/get_industry`. Classes are named by their numbers.
pub(super) fn industry(world: &World, account: &Account) -> Result<Vec<u8>, Refusal> {
    let class = |id: &String| json!({"first_class": "行业", "second_class": id});
    let [first, second] = world.messages.industries(account.number);
    let classes = json!({"primary_industry": class(&first), "secondary_industry": class(&second)});
    Ok(body(&classes))
}

#[derive(Debug, Deserialize)]
struct Industries {
    #[serde(default)]
    industry_id1: String,
    #[serde(default)]
    industry_id2: String,
}

/// `POST /cgi-bin/template/api_set_industry`. The vendor's limit of one change a month is not kept.
pub(super) fn set_industry(
    world: &World,
    ask: &Ask,
    account: &Account,
) -> Result<Vec<u8>, Refusal> {
    let Industries { industry_id1, industry_id2 } = ask.json()?;
    let known = |id: &String| id.parse::<u8>().is_ok_and(|id| (1..=41).contains(&id));
    if !known(&industry_id1) || !known(&industry_id2) {
        return Err(Refusal::of(40102));
    }
    world.messages.set_industries(account.number, [industry_id1, industry_id2]);
    Ok(ok())
}
