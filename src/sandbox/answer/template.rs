//! The templates and industries of an Official Account.

use serde::Deserialize;
use serde_json::json;

use super::{ApiRequest, body, ok};
use crate::sandbox::errcode::Refusal;
use crate::sandbox::world::{Account, TemplateKind, World, library};

/// `GET /cgi-bin/template/get_all_private_template`.
pub(super) fn list(world: &World, account: &Account) -> Result<Vec<u8>, Refusal> {
    let templates = world.templates.list(account.number, TemplateKind::Official);
    let list = templates.iter().map(|template| {
        json!({
            "template_id": template.id,
            "title": template.title,
            "primary_industry": "",
            "deputy_industry": "",
            "content": template.content(":"),
            "example": template.example(),
        })
    });
    Ok(body(&json!({"template_list": list.collect::<Vec<_>>()})))
}

#[derive(Debug, Deserialize)]
struct Addition {
    #[serde(default)]
    template_id_short: String,
    #[serde(default)]
    keyword_name_list: Vec<String>,
}

/// `POST /cgi-bin/template/api_add_template`. A template of a category (its number is all digits) requires
/// keywords; other templates get a default keyword.
///
/// The library has all keywords except those whose names begin with `missing`. `TM9…` and `OPENTM9…` belong
/// to an industry that no account has.
pub(super) fn add(
    world: &World,
    request: &ApiRequest,
    account: &Account,
) -> Result<Vec<u8>, Refusal> {
    let Addition { template_id_short, keyword_name_list } = request.json()?;
    let is_of_category = template_id_short.bytes().all(|byte| byte.is_ascii_digit());
    let industry_number =
        ["TM", "OPENTM"].iter().find_map(|prefix| template_id_short.strip_prefix(prefix));
    if template_id_short.is_empty() || !(is_of_category || industry_number.is_some()) {
        return Err(Refusal::of(40037));
    }
    let is_unknown = |name: &String| name.is_empty() || name.starts_with("missing");
    if is_of_category && keyword_name_list.is_empty() || keyword_name_list.iter().any(is_unknown) {
        return Err(Refusal::of(40246));
    }
    if industry_number.is_some_and(|number| number.starts_with('9')) {
        return Err(Refusal::of(45027));
    }
    let names: Vec<&str> = match keyword_name_list.as_slice() {
        [] => vec!["内容"],
        names => names.iter().map(String::as_str).collect(),
    };
    let title = (template_id_short.as_str(), false);
    let lines = library::official::lines(&names);
    let id = world.templates.add(account.number, TemplateKind::Official, title, lines);
    let id = id.ok_or_else(|| Refusal::of(45026))?;
    Ok(body(&json!({"errcode": 0, "errmsg": "ok", "template_id": id})))
}

#[derive(Debug, Deserialize)]
struct Removal {
    #[serde(default)]
    template_id: String,
}

/// `POST /cgi-bin/template/del_private_template`.
pub(super) fn delete(
    world: &World,
    request: &ApiRequest,
    account: &Account,
) -> Result<Vec<u8>, Refusal> {
    let Removal { template_id } = request.json()?;
    let deleted = world.templates.delete(account.number, TemplateKind::Official, &template_id);
    deleted.then(ok).ok_or_else(|| Refusal::of(40037))
}

/// `GET /cgi-bin/template/get_industry`. The sandbox has only the numbers of industries, not their names.
pub(super) fn industry(world: &World, account: &Account) -> Result<Vec<u8>, Refusal> {
    let class = |id: &String| json!({"first_class": "行业", "second_class": id});
    let [first, second] = world.industries.of(account.number);
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

/// `POST /cgi-bin/template/api_set_industry`, allowed once a month.
pub(super) fn set_industry(
    world: &World,
    request: &ApiRequest,
    account: &Account,
) -> Result<Vec<u8>, Refusal> {
    let Industries { industry_id1, industry_id2 } = request.json()?;
    let known = |id: &String| id.parse::<u8>().is_ok_and(|id| (1..=41).contains(&id));
    if !known(&industry_id1) || !known(&industry_id2) {
        return Err(Refusal::of(40102));
    }
    world.industries.set(account.number, [industry_id1, industry_id2], world.now())?;
    Ok(ok())
}
