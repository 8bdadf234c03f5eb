//! The API of Mini Programs' template messages that was closed in 2020.
//!
//! The vendor answers 45103 today. A world that is told to serves it as gateways do that kept it: a
//! form submitted in the Mini Program is good for one message within seven days.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Ask, body, ok, send};
use crate::sandbox::call::Call;
use crate::sandbox::errcode::Refusal;
use crate::sandbox::world::library::legacy::{TITLES, Title, title};
use crate::sandbox::world::{Account, SentMessage, Shelf, World};

/// The most rows on a page.
const PAGE: usize = 20;

/// The most keywords of a template.
const KEYWORDS: usize = 10;

/// Answers one of the calls, if the world serves them.
pub(super) fn answer(world: &World, ask: &Ask, account: &Account) -> Result<Vec<u8>, Refusal> {
    if ask.call == Call::UniformSend {
        return Err(Refusal::of(45109));
    }
    if !world.legacy_templates {
        return Err(Refusal::of(45103));
    }
    match ask.call {
        Call::WxopenLibraryList => library(ask),
        Call::WxopenLibraryGet => keywords(ask),
        Call::WxopenAdd => add(world, ask, account),
        Call::WxopenList => list(world, ask, account),
        Call::WxopenDelete => delete(world, ask, account),
        Call::WxopenSend => message(world, ask, account),
        _ => Err(Refusal::of(-1)),
    }
}

#[derive(Debug, Deserialize)]
struct Page {
    offset: usize,
    count: usize,
}

impl Page {
    /// The part of the rows that was asked for.
    fn of<T>(&self, rows: impl Iterator<Item = T>) -> Vec<T> {
        rows.skip(self.offset).take(self.count.min(PAGE)).collect()
    }
}

fn library(ask: &Ask) -> Result<Vec<u8>, Refusal> {
    let page: Page = ask.json()?;
    let rows = TITLES.iter().map(|Title { id, title, .. }| json!({"id": id, "title": title}));
    let (list, total) = (page.of(rows), TITLES.len());
    Ok(body(&json!({"errcode": 0, "errmsg": "ok", "list": list, "total_count": total})))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    id: String,
    keyword_id_list: Vec<u32>,
}

impl Choice {
    fn title(&self) -> Result<&'static Title, Refusal> {
        title(&self.id).ok_or_else(|| Refusal::of(40037))
    }
}

fn keywords(ask: &Ask) -> Result<Vec<u8>, Refusal> {
    let Title { id, title, keywords } = ask.json::<Choice>()?.title()?;
    let list = keywords.iter().map(|keyword| {
        json!({"keyword_id": keyword.id, "name": keyword.name, "example": keyword.example})
    });
    let list: Vec<_> = list.collect();
    let answer =
        json!({"errcode": 0, "errmsg": "ok", "id": id, "title": title, "keyword_list": list});
    Ok(body(&answer))
}

fn add(world: &World, ask: &Ask, account: &Account) -> Result<Vec<u8>, Refusal> {
    let choice: Choice = ask.json()?;
    let (title, ids) = (choice.title()?, &choice.keyword_id_list);
    let lines = title.lines(ids).filter(|lines| (1..=KEYWORDS).contains(&lines.len()));
    let lines = lines.ok_or_else(|| Refusal::of(40097))?;
    let id = world.templates.add(account.number, Shelf::Legacy, (title.title, false), lines);
    let id = id.ok_or_else(|| Refusal::of(45026))?;
    Ok(body(&json!({"errcode": 0, "errmsg": "ok", "template_id": id})))
}

fn list(world: &World, ask: &Ask, account: &Account) -> Result<Vec<u8>, Refusal> {
    let page: Page = ask.json()?;
    let templates = world.templates.list(account.number, Shelf::Legacy);
    let rows = templates.iter().map(|template| {
        json!({
            "template_id": template.id,
            "title": template.title,
            "content": template.content(""),
            "example": template.example(),
        })
    });
    Ok(body(&json!({"errcode": 0, "errmsg": "ok", "list": page.of(rows)})))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    touser: String,
    template_id: String,
    page: String,
    form_id: String,
}

fn delete(world: &World, ask: &Ask, account: &Account) -> Result<Vec<u8>, Refusal> {
    let Message { template_id, .. } = ask.json()?;
    let deleted = world.templates.delete(account.number, Shelf::Legacy, &template_id);
    deleted.then(ok).ok_or_else(|| Refusal::of(40037))
}

/// The data may be left out, and so may any of its keywords: the person then sees a blank.
fn message(world: &World, ask: &Ask, account: &Account) -> Result<Vec<u8>, Refusal> {
    let whole: Value = ask.json()?;
    let message = Message::deserialize(&whole).map_err(|_| Refusal::of(47001))?;
    let person = send::user(account, &account.state(), &message.touser)?;
    world.templates.find(account.number, Shelf::Legacy, &message.template_id)?;
    send::page(&message.page)?;
    world.forms.redeem(&message.form_id, account.number, Some(person), world.now())?;
    let sent = SentMessage {
        msgid: 0,
        call: ask.call,
        appid: account.appid.clone(),
        openid: message.touser,
        person,
        template_id: message.template_id,
        client_msg_id: None,
        body: whole,
    };
    world.messages.accept(sent, world.now());
    Ok(ok())
}
