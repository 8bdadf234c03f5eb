//! The API of Mini Programs' template messages that WeChat retired in 2020.
//!
//! WeChat answers 45103. With `Options::legacy_templates`, the sandbox serves the API as some gateways
//! still do: a form submitted in the Mini Program allows one message within seven days.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApiRequest, body, ok, send};
use crate::sandbox::call::Call;
use crate::sandbox::errcode::Refusal;
use crate::sandbox::world::library::legacy::{TITLES, Title, title};
use crate::sandbox::world::{Account, SentMessage, TemplateKind, World};

/// The maximum number of rows on a page.
const MAX_PAGE_ROWS: usize = 20;

/// The maximum number of keywords of a template.
const MAX_KEYWORDS: usize = 10;

/// Answers one of the calls.
pub(super) fn answer(
    world: &World,
    request: &ApiRequest,
    account: &Account,
) -> Result<Vec<u8>, Refusal> {
    if request.call == Call::UniformSend {
        return Err(Refusal::of(45109));
    }
    if !world.legacy_templates {
        return Err(Refusal::of(45103));
    }
    match request.call {
        Call::WxopenLibraryList => library(request),
        Call::WxopenLibraryGet => keywords(request),
        Call::WxopenAdd => add(world, request, account),
        Call::WxopenList => list(world, request, account),
        Call::WxopenDelete => delete(world, request, account),
        Call::WxopenSend => message(world, request, account),
        _ => Err(Refusal::of(-1)),
    }
}

#[derive(Debug, Deserialize)]
struct Page {
    offset: usize,
    count: usize,
}

impl Page {
    /// Returns the requested part of the rows.
    fn of<T>(&self, rows: impl Iterator<Item = T>) -> Vec<T> {
        rows.skip(self.offset).take(self.count.min(MAX_PAGE_ROWS)).collect()
    }
}

fn library(request: &ApiRequest) -> Result<Vec<u8>, Refusal> {
    let page: Page = request.json()?;
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

fn keywords(request: &ApiRequest) -> Result<Vec<u8>, Refusal> {
    let Title { id, title, keywords } = request.json::<Choice>()?.title()?;
    let list = keywords.iter().map(|keyword| {
        json!({"keyword_id": keyword.id, "name": keyword.name, "example": keyword.example})
    });
    let list: Vec<_> = list.collect();
    let answer =
        json!({"errcode": 0, "errmsg": "ok", "id": id, "title": title, "keyword_list": list});
    Ok(body(&answer))
}

fn add(world: &World, request: &ApiRequest, account: &Account) -> Result<Vec<u8>, Refusal> {
    let choice: Choice = request.json()?;
    let (title, ids) = (choice.title()?, &choice.keyword_id_list);
    let lines = title.lines(ids).filter(|lines| (1..=MAX_KEYWORDS).contains(&lines.len()));
    let lines = lines.ok_or_else(|| Refusal::of(40097))?;
    let id = world.templates.add(account.number, TemplateKind::Legacy, (title.title, false), lines);
    let id = id.ok_or_else(|| Refusal::of(45026))?;
    Ok(body(&json!({"errcode": 0, "errmsg": "ok", "template_id": id})))
}

fn list(world: &World, request: &ApiRequest, account: &Account) -> Result<Vec<u8>, Refusal> {
    let page: Page = request.json()?;
    let templates = world.templates.list(account.number, TemplateKind::Legacy);
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

fn delete(world: &World, request: &ApiRequest, account: &Account) -> Result<Vec<u8>, Refusal> {
    let Message { template_id, .. } = request.json()?;
    let deleted = world.templates.delete(account.number, TemplateKind::Legacy, &template_id);
    deleted.then(ok).ok_or_else(|| Refusal::of(40037))
}

/// Accepts a message without `data` or without some of its keywords: the user then sees blanks.
fn message(world: &World, request: &ApiRequest, account: &Account) -> Result<Vec<u8>, Refusal> {
    let whole: Value = request.json()?;
    let message = Message::deserialize(&whole).map_err(|_| Refusal::of(47001))?;
    let person = send::find_user(account, &account.state(), &message.touser)?;
    world.templates.find(account.number, TemplateKind::Legacy, &message.template_id)?;
    send::check_page(&message.page)?;
    world.forms.redeem(&message.form_id, account.number, Some(person), world.now())?;
    let sent = SentMessage {
        msgid: 0,
        call: request.call,
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
