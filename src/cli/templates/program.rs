//! The templates of a Mini Program's subscribe messages.

use serde_json::json;

use super::{Asked, TemplatesCommand, not_sent_here, print_part};
use crate::cli::{Exit, Failure, output};
use crate::http::answer::{
    CategoryResponse, KeywordResponse, LibraryTemplate, SubscribeTemplateResponse,
};

/// How many titles WeChat gives at a time.
const TITLES: u64 = 30;

/// Does what was asked.
pub(super) async fn run(asked: &Asked<'_>, command: TemplatesCommand) -> Result<Exit, Failure> {
    let (push, appid) = (&asked.app.push, asked.appid);
    match command {
        TemplatesCommand::List => list(asked).await?,
        TemplatesCommand::Add(add) => {
            let id = push
                .add_subscribe_template(appid, &add.number, &add.keyword_ids, &add.scene)
                .await?;
            match asked.json {
                true => output::json(&json!({ "template_id": id })),
                false => output::data(id),
            }
        }
        TemplatesCommand::Delete { template_id } => {
            push.delete_subscribe_template(appid, &template_id).await?;
            output::talk(format_args!("{template_id} is gone"));
        }
        TemplatesCommand::Library { categories, start } => {
            library(asked, categories, start).await?;
        }
        TemplatesCommand::Keywords { number } => keywords(asked, &number).await?,
        TemplatesCommand::Categories => categories(asked).await?,
        TemplatesCommand::Send(_) => return Err(not_sent_here()),
    }
    Ok(Exit::Done)
}

async fn list(asked: &Asked<'_>) -> Result<(), Failure> {
    let templates = asked.app.push.subscribe_templates(asked.appid).await?;
    if asked.json {
        output::json(&shown::<SubscribeTemplateResponse, _>(templates));
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

async fn library(asked: &Asked<'_>, named: Vec<i64>, start: u64) -> Result<(), Failure> {
    let (push, appid) = (&asked.app.push, asked.appid);
    let categories = match named.is_empty() {
        true => push.subscribe_categories(appid).await?.iter().map(|found| found.id).collect(),
        false => named,
    };
    let (titles, count) = push.subscribe_library(appid, &categories, start, TITLES).await?;
    if asked.json {
        output::json(&json!({ "data": shown::<LibraryTemplate, _>(titles), "total": count }));
        return Ok(());
    }
    let rows: Vec<_> =
        titles.iter().map(|found| [found.tid.clone(), found.title.clone()]).collect();
    print_part(&rows, start, count);
    Ok(())
}

async fn keywords(asked: &Asked<'_>, number: &str) -> Result<(), Failure> {
    let keywords = asked.app.push.subscribe_keywords(asked.appid, number).await?;
    if asked.json {
        output::json(&shown::<KeywordResponse, _>(keywords));
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

async fn categories(asked: &Asked<'_>) -> Result<(), Failure> {
    let categories = asked.app.push.subscribe_categories(asked.appid).await?;
    if asked.json {
        output::json(&shown::<CategoryResponse, _>(categories));
        return Ok(());
    }
    let rows: Vec<_> =
        categories.iter().map(|found| [found.id.to_string(), found.name.clone()]).collect();
    output::table(["CATEGORY", "NAME"], &rows);
    Ok(())
}

/// As the API answers it.
fn shown<T: From<R>, R>(rows: Vec<R>) -> Vec<T> {
    rows.into_iter().map(T::from).collect()
}
