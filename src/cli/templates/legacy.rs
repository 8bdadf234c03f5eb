//! The form_id templates that Mini Programs had until 2020, for gateways that still serve them. WeChat
//! itself answers that they are withdrawn, and the error names what took their place.

use clap::Args;
use serde_json::json;

use super::{Asked, TemplatesCommand};
use crate::cli::texts::{Pair, texts};
use crate::cli::{Exit, Failure, output};
use crate::model::{Channel, OpenId, TemplateId};
use crate::push::{self, Template};
use crate::wechat::form_template::LegacyMessage;

/// How many entries the old API gives at a time.
const PAGE: u64 = 20;

/// A message that a form_id allows.
#[derive(Debug, Args)]
pub(super) struct Send {
    /// The template
    template_id: TemplateId,
    /// The user, as the Mini Program knows them
    #[arg(long)]
    openid: OpenId,
    /// What the user's tap on a form gave, or a payment; good once, for seven days
    #[arg(long, value_name = "ID")]
    form_id: String,
    /// A key's text; may be repeated
    #[arg(long = "data", value_name = "KEY=TEXT")]
    data: Vec<Pair>,
    /// The page of the Mini Program that a tap opens
    #[arg(long, value_name = "PATH")]
    page: Option<String>,
    /// The key whose text is shown large, such as keyword1.DATA
    #[arg(long = "emphasis", value_name = "KEY")]
    emphasis_keyword: Option<String>,
}

/// Does what was asked.
pub(super) async fn run(asked: &Asked<'_>, command: TemplatesCommand) -> Result<Exit, Failure> {
    let wechat = asked.app.push.account(Channel::Subscribe, asked.appid)?;
    match command {
        TemplatesCommand::List => list(asked).await?,
        TemplatesCommand::Add(add) => {
            let id = wechat.add_legacy_template(&add.number, &add.keyword_ids).await;
            let id = id.map_err(push::Error::from)?;
            match asked.json {
                true => output::json(&json!({ "template_id": id })),
                false => output::data(id),
            }
        }
        TemplatesCommand::Delete { template_id } => {
            wechat.delete_legacy_template(&template_id).await.map_err(push::Error::from)?;
            output::talk(format_args!("{template_id} is gone"));
        }
        TemplatesCommand::Library { start, .. } => library(asked, start).await?,
        TemplatesCommand::Keywords { number } => keywords(asked, &number).await?,
        TemplatesCommand::Categories => return Err(super::not_here("categories")),
        TemplatesCommand::Send(send) => {
            let data = texts(&send.data);
            let message = LegacyMessage {
                touser: &send.openid,
                template_id: &send.template_id,
                page: send.page.as_deref(),
                form_id: &send.form_id,
                data: &data,
                emphasis_keyword: send.emphasis_keyword.as_deref(),
            };
            wechat.send_legacy(&message).await.map_err(push::Error::from)?;
            output::talk("accepted");
        }
    }
    Ok(Exit::Done)
}

async fn list(asked: &Asked<'_>) -> Result<(), Failure> {
    let wechat = asked.app.push.account(Channel::Subscribe, asked.appid)?;
    let mut templates: Vec<Template> = Vec::new();
    loop {
        let (offset, before) = (templates.len() as u64, templates.len());
        let page = wechat.legacy_templates(offset, PAGE).await.map_err(push::Error::from)?;
        templates.extend(page);
        if templates.len() < before + PAGE as usize {
            break;
        }
    }
    super::official::print(&templates, asked.json);
    Ok(())
}

async fn library(asked: &Asked<'_>, start: u64) -> Result<(), Failure> {
    let wechat = asked.app.push.account(Channel::Subscribe, asked.appid)?;
    let (titles, count) = wechat.legacy_library(start, PAGE).await.map_err(push::Error::from)?;
    if asked.json {
        output::json(&json!({ "data": titles, "total": count }));
        return Ok(());
    }
    let rows: Vec<_> = titles.iter().map(|found| [found.id.clone(), found.title.clone()]).collect();
    super::print_part(&rows, start, count);
    Ok(())
}

async fn keywords(asked: &Asked<'_>, number: &str) -> Result<(), Failure> {
    let wechat = asked.app.push.account(Channel::Subscribe, asked.appid)?;
    let found = wechat.legacy_library_template(number).await.map_err(push::Error::from)?;
    if asked.json {
        output::json(&found.keywords);
        return Ok(());
    }
    let rows: Vec<_> = found
        .keywords
        .iter()
        .map(|found| [found.id.to_string(), found.name.clone(), found.example.clone()])
        .collect();
    output::table(["KEYWORD", "NAME", "EXAMPLE"], &rows);
    Ok(())
}
