//! `templates` for Official Accounts.

use serde_json::json;

use super::{Target, TemplatesCommand, needs_legacy, not_available};
use crate::cli::{Exit, Failure, output};
use crate::http::responses::TemplateResponse;
use crate::push::Template;

/// Runs the command.
pub(super) async fn run(target: &Target<'_>, command: TemplatesCommand) -> Result<Exit, Failure> {
    let (push, appid) = (&target.app.push, target.appid);
    match command {
        TemplatesCommand::List => list(target).await?,
        TemplatesCommand::Add(add) => {
            let id = push.add_template(appid, &add.number, &add.keywords).await?;
            match target.json {
                true => output::json(&json!({ "template_id": id })),
                false => output::data(id),
            }
        }
        TemplatesCommand::Delete { template_id } => {
            push.delete_template(appid, &template_id).await?;
            output::message(format_args!("deleted template {template_id}"));
        }
        TemplatesCommand::Library { .. } => return Err(not_available("titles")),
        TemplatesCommand::Keywords { .. } => return Err(not_available("keywords")),
        TemplatesCommand::Categories => return Err(not_available("categories")),
        TemplatesCommand::Send(_) => return Err(needs_legacy()),
    }
    Ok(Exit::Done)
}

async fn list(target: &Target<'_>) -> Result<(), Failure> {
    print(&target.app.push.templates(target.appid).await?, target.json);
    Ok(())
}

/// Prints templates as a table with their keys, or as JSON.
pub(super) fn print(templates: &[Template], json: bool) {
    if json {
        let responses = templates.iter().cloned().map(TemplateResponse::from);
        return output::json(&responses.collect::<Vec<_>>());
    }
    let rows: Vec<_> = templates
        .iter()
        .map(|template| {
            [template.id.to_string(), template.title.clone(), template.keys().join(" ")]
        })
        .collect();
    output::table(["TEMPLATE", "TITLE", "KEYS"], &rows);
}
