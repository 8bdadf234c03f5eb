//! A Mini Program's templates for subscribe messages, and the public library that they are created from.

use serde_json::{Value, json};
use url::form_urlencoded;

use super::{ApiRequest, body, ok};
use crate::sandbox::errcode::Refusal;
use crate::sandbox::world::library::subscribe::{CATEGORIES, TITLES, Title, title};
use crate::sandbox::world::{Account, TemplateKind, World};

/// The maximum number of titles on a page.
const MAX_PAGE_TITLES: usize = 30;

/// The allowed number of keywords of a template.
const KEYWORD_COUNT: std::ops::RangeInclusive<usize> = 2..=5;

/// The maximum length of a `sceneDesc`, in characters.
const MAX_SCENE_CHARS: usize = 15;

fn data_body(data: &[Value]) -> Vec<u8> {
    body(&json!({"errcode": 0, "errmsg": "ok", "data": data}))
}

/// Returns WeChat's `type`: 2 if a consent allows one message, 3 if it is valid until it is revoked.
fn template_type(lasting: bool) -> u8 {
    if lasting { 3 } else { 2 }
}

/// `GET /wxaapi/newtmpl/getcategory`.
pub(super) fn categories() -> Vec<u8> {
    let category = |(id, name): &(u32, &str)| json!({"id": id, "name": name});
    data_body(&CATEGORIES.iter().map(category).collect::<Vec<_>>())
}

/// `GET /wxaapi/newtmpl/getpubtemplatetitles`.
pub(super) fn titles(request: &ApiRequest) -> Result<Vec<u8>, Refusal> {
    let ids = request.parameter("ids").ok_or_else(|| Refusal::of(200018))?;
    let known =
        |id: &str| CATEGORIES.iter().map(|(id, _)| *id).find(|known| id == known.to_string());
    let ids: Option<Vec<u32>> = ids.split(',').map(known).collect();
    let ids = ids.ok_or_else(|| Refusal::of(200019))?;
    let number = |name| request.parameter(name)?.parse::<usize>().ok();
    let start = number("start").ok_or_else(|| Refusal::of(200016))?;
    let limit = number("limit").filter(|limit| (1..=MAX_PAGE_TITLES).contains(limit));
    let limit = limit.ok_or_else(|| Refusal::of(200017))?;
    let found: Vec<&Title> = TITLES.iter().filter(|title| ids.contains(&title.category)).collect();
    let page = found.iter().skip(start).take(limit).map(|title| {
        let Title { tid, title, category, lasting, .. } = title;
        let category = category.to_string();
        json!({"tid": tid, "title": title, "type": template_type(*lasting), "categoryId": category})
    });
    let page: Vec<_> = page.collect();
    Ok(body(&json!({"errcode": 0, "errmsg": "ok", "count": found.len(), "data": page})))
}

/// `GET /wxaapi/newtmpl/getpubtemplatekeywords`.
pub(super) fn keywords(request: &ApiRequest) -> Result<Vec<u8>, Refusal> {
    let keywords = known_title(request.parameter("tid"))?.keywords.iter();
    let keywords = keywords.map(|keyword| {
        let (kid, rule) = (keyword.kid, keyword.rule);
        json!({"kid": kid, "name": keyword.name, "example": keyword.example, "rule": rule})
    });
    let data: Vec<_> = keywords.collect();
    Ok(body(&json!({"errcode": 0, "errmsg": "ok", "count": data.len(), "data": data})))
}

fn known_title(tid: Option<&str>) -> Result<&'static Title, Refusal> {
    let found = tid.and_then(|tid| title(tid.parse().ok()?));
    found.ok_or_else(|| Refusal::of(200014))
}

/// `GET /wxaapi/newtmpl/gettemplate`.
pub(super) fn list(world: &World, account: &Account) -> Vec<u8> {
    let templates = world.templates.list(account.number, TemplateKind::Subscribe);
    let templates = templates.iter().map(|template| {
        json!({
            "priTmplId": template.id,
            "title": template.title,
            "content": template.content(":"),
            "example": template.example(),
            "type": template_type(template.lasting),
            "keywordEnumValueList": [],
        })
    });
    data_body(&templates.collect::<Vec<_>>())
}

/// `POST /wxaapi/newtmpl/addtemplate`.
pub(super) fn add(
    world: &World,
    request: &ApiRequest,
    account: &Account,
) -> Result<Vec<u8>, Refusal> {
    let pairs = pairs(request)?;
    let title = known_title(first(&pairs, "tid"))?;
    let kids: Result<Vec<u32>, _> = all(&pairs, "kidList").map(str::parse).collect();
    let kids = kids.ok().filter(|kids| KEYWORD_COUNT.contains(&kids.len()));
    let lines = kids.and_then(|kids| title.lines(&kids)).ok_or_else(|| Refusal::of(200020))?;
    if first(&pairs, "sceneDesc").is_some_and(|scene| scene.chars().count() > MAX_SCENE_CHARS) {
        return Err(Refusal::of(200021));
    }
    let name = (title.title, title.lasting);
    let id = world.templates.add(account.number, TemplateKind::Subscribe, name, lines);
    let id = id.ok_or_else(|| Refusal::of(200012))?;
    Ok(body(&json!({"errcode": 0, "errmsg": "ok", "priTmplId": id})))
}

/// `POST /wxaapi/newtmpl/deltemplate`. WeChat documents no errcode for an unknown template.
pub(super) fn delete(
    world: &World,
    request: &ApiRequest,
    account: &Account,
) -> Result<Vec<u8>, Refusal> {
    let pairs = pairs(request)?;
    let id = first(&pairs, "priTmplId").unwrap_or_default();
    let deleted = world.templates.delete(account.number, TemplateKind::Subscribe, id);
    deleted.then(ok).ok_or_else(|| Refusal::of(40037))
}

type Pairs = Vec<(String, String)>;

/// Parses the body into pairs of name and value. A list becomes one pair per item. SDKs post JSON, while
/// WeChat's older documents show a form: `tid=2001&kidList=1&kidList=2`.
fn pairs(request: &ApiRequest) -> Result<Pairs, Refusal> {
    if request.body.contains(&b'=') && !request.body.starts_with(b"{") {
        return Ok(form_urlencoded::parse(&request.body).into_owned().collect());
    }
    let members: serde_json::Map<String, Value> = request.json()?;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs = members.into_iter().flat_map(|(name, value)| {
        let values = match value {
            Value::Array(items) => items.iter().map(text).collect(),
            other => vec![text(&other)],
        };
        values.into_iter().map(move |value| (name.clone(), value))
    });
    Ok(pairs.collect())
}

fn all<'a>(pairs: &'a Pairs, name: &str) -> impl Iterator<Item = &'a str> {
    pairs.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
}

fn first<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    all(pairs, name).next()
}
