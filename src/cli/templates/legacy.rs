//! `templates --legacy`: the form_id templates that Mini Programs had until 2020, for gateways that still
//! serve them. WeChat itself rejects these calls, and the error names the replacement.

use clap::Args;
use serde_json::json;

use super::{Target, TemplatesCommand};
use crate::cli::template_data::{Pair, texts};
use crate::cli::{Exit, Failure, output};
use crate::model::{Channel, OpenId, TemplateId};
use crate::push::{self, Template};
use crate::wechat::form_template::LegacyMessage;

/// Page size of the legacy API.
const PAGE_SIZE: u64 = 20;

/// Send a message with a form_id.
#[derive(Debug, Args)]
pub(super) struct Send {
    /// The template's id
    template_id: TemplateId,
    /// The user's openid in the Mini Program
    #[arg(long)]
    openid: OpenId,
    /// The form_id from a form the user submitted, or from a payment; valid once, for seven days
    #[arg(long, value_name = "ID")]
    form_id: String,
    /// The text for one of the template's keys; may be repeated
    #[arg(long = "data", value_name = "KEY=TEXT")]
    data: Vec<Pair>,
    /// Page of the Mini Program that a tap opens
    #[arg(long, value_name = "PATH")]
    page: Option<String>,
    /// The key whose text is emphasised, such as keyword1.DATA
    #[arg(long = "emphasis", value_name = "KEY")]
    emphasis_keyword: Option<String>,
}

/// Runs the command.
pub(super) async fn run(target: &Target<'_>, command: TemplatesCommand) -> Result<Exit, Failure> {
    let wechat = target.app.push.account(Channel::Subscribe, target.appid)?;
    match command {
        TemplatesCommand::List => list(target).await?,
        TemplatesCommand::Add(add) => {
            let id = wechat.add_legacy_template(&add.number, &add.keyword_ids).await;
            let id = id.map_err(push::Error::from)?;
            match target.json {
                true => output::json(&json!({ "template_id": id })),
                false => output::data(id),
            }
        }
        TemplatesCommand::Delete { template_id } => {
            wechat.delete_legacy_template(&template_id).await.map_err(push::Error::from)?;
            output::message(format_args!("deleted template {template_id}"));
        }
        TemplatesCommand::Library { start, .. } => library(target, start).await?,
        TemplatesCommand::Keywords { number } => keywords(target, &number).await?,
        TemplatesCommand::Categories => return Err(super::not_available("categories")),
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
            output::message("accepted");
        }
    }
    Ok(Exit::Done)
}

async fn list(target: &Target<'_>) -> Result<(), Failure> {
    let wechat = target.app.push.account(Channel::Subscribe, target.appid)?;
    let mut templates: Vec<Template> = Vec::new();
    loop {
        let (offset, before) = (templates.len() as u64, templates.len());
        let page = wechat.legacy_templates(offset, PAGE_SIZE).await.map_err(push::Error::from)?;
        templates.extend(page);
        if templates.len() < before + PAGE_SIZE as usize {
            break;
        }
    }
    super::official::print(&templates, target.json);
    Ok(())
}

async fn library(target: &Target<'_>, start: u64) -> Result<(), Failure> {
    let wechat = target.app.push.account(Channel::Subscribe, target.appid)?;
    let (titles, count) =
        wechat.legacy_library(start, PAGE_SIZE).await.map_err(push::Error::from)?;
    if target.json {
        output::json(&json!({ "data": titles, "total": count }));
        return Ok(());
    }
    let rows: Vec<_> = titles.iter().map(|found| [found.id.clone(), found.title.clone()]).collect();
    super::print_titles(&rows, start, count);
    Ok(())
}

async fn keywords(target: &Target<'_>, number: &str) -> Result<(), Failure> {
    let wechat = target.app.push.account(Channel::Subscribe, target.appid)?;
    let found = wechat.legacy_library_template(number).await.map_err(push::Error::from)?;
    if target.json {
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
