//! `templates` for Mini Programs, whose templates are for subscribe messages.

use serde_json::json;

use super::{Target, TemplatesCommand, needs_legacy, print_titles};
use crate::cli::{Exit, Failure, output};
use crate::http::responses::{
    CategoryResponse, KeywordResponse, LibraryTemplate, SubscribeTemplateResponse,
};

/// Page size of WeChat's library of titles.
const PAGE_SIZE: u64 = 30;

/// Runs the command.
pub(super) async fn run(target: &Target<'_>, command: TemplatesCommand) -> Result<Exit, Failure> {
    let (push, appid) = (&target.app.push, target.appid);
    match command {
        TemplatesCommand::List => list(target).await?,
        TemplatesCommand::Add(add) => {
            let id = push
                .add_subscribe_template(appid, &add.number, &add.keyword_ids, &add.scene)
                .await?;
            match target.json {
                true => output::json(&json!({ "template_id": id })),
                false => output::data(id),
            }
        }
        TemplatesCommand::Delete { template_id } => {
            push.delete_subscribe_template(appid, &template_id).await?;
            output::message(format_args!("deleted template {template_id}"));
        }
        TemplatesCommand::Library { categories, start } => {
            library(target, categories, start).await?;
        }
        TemplatesCommand::Keywords { number } => keywords(target, &number).await?,
        TemplatesCommand::Categories => categories(target).await?,
        TemplatesCommand::Send(_) => return Err(needs_legacy()),
    }
    Ok(Exit::Done)
}

async fn list(target: &Target<'_>) -> Result<(), Failure> {
    let templates = target.app.push.subscribe_templates(target.appid).await?;
    if target.json {
        output::json(&responses::<SubscribeTemplateResponse, _>(templates));
        return Ok(());
    }
    let kind = |kind| match kind {
        2 => "one-time".to_owned(),
        3 => "long-term".to_owned(),
        _ => String::new(),
    };
    let rows: Vec<_> = templates
        .iter()
        .map(|template| {
            let (id, keys) = (template.id.to_string(), template.keys().join(" "));
            [id, template.title.clone(), kind(template.kind), keys]
        })
        .collect();
    output::table(["TEMPLATE", "TITLE", "KIND", "KEYS"], &rows);
    Ok(())
}

async fn library(target: &Target<'_>, named: Vec<i64>, start: u64) -> Result<(), Failure> {
    let (push, appid) = (&target.app.push, target.appid);
    let categories = match named.is_empty() {
        true => push.subscribe_categories(appid).await?.iter().map(|found| found.id).collect(),
        false => named,
    };
    let (titles, count) = push.subscribe_library(appid, &categories, start, PAGE_SIZE).await?;
    if target.json {
        output::json(&json!({ "data": responses::<LibraryTemplate, _>(titles), "total": count }));
        return Ok(());
    }
    let rows: Vec<_> =
        titles.iter().map(|found| [found.tid.clone(), found.title.clone()]).collect();
    print_titles(&rows, start, count);
    Ok(())
}

async fn keywords(target: &Target<'_>, number: &str) -> Result<(), Failure> {
    let keywords = target.app.push.subscribe_keywords(target.appid, number).await?;
    if target.json {
        output::json(&responses::<KeywordResponse, _>(keywords));
        return Ok(());
    }
    let rows: Vec<_> = keywords
        .iter()
        .map(|found| {
            [found.kid.to_string(), found.name.clone(), found.rule.clone(), found.example.clone()]
        })
        .collect();
    output::table(["KEYWORD", "NAME", "RULE", "EXAMPLE"], &rows);
    Ok(())
}

async fn categories(target: &Target<'_>) -> Result<(), Failure> {
    let categories = target.app.push.subscribe_categories(target.appid).await?;
    if target.json {
        output::json(&responses::<CategoryResponse, _>(categories));
        return Ok(());
    }
    let rows: Vec<_> =
        categories.iter().map(|found| [found.id.to_string(), found.name.clone()]).collect();
    output::table(["CATEGORY", "NAME"], &rows);
    Ok(())
}

/// Converts rows to the API's response type.
fn responses<T: From<R>, R>(rows: Vec<R>) -> Vec<T> {
    rows.into_iter().map(T::from).collect()
}
