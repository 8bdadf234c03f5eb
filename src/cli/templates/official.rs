//! The templates of an Official Account.

use serde_json::json;

use super::{Asked, TemplatesCommand, not_here, not_sent_here};
use crate::cli::{Exit, Failure, output};
use crate::http::answer::TemplateResponse;
use crate::push::Template;

/// Does what was asked.
pub(super) async fn run(asked: &Asked<'_>, command: TemplatesCommand) -> Result<Exit, Failure> {
    let (push, appid) = (&asked.app.push, asked.appid);
    match command {
        TemplatesCommand::List => list(asked).await?,
        TemplatesCommand::Add(add) => {
            let id = push.add_template(appid, &add.number, &add.keywords).await?;
            match asked.json {
                true => output::json(&json!({ "template_id": id })),
                false => output::data(id),
            }
        }
        TemplatesCommand::Delete { template_id } => {
            push.delete_template(appid, &template_id).await?;
            output::talk(format_args!("{template_id} is gone"));
        }
        TemplatesCommand::Library { .. } => return Err(not_here("titles")),
        TemplatesCommand::Keywords { .. } => return Err(not_here("keywords")),
        TemplatesCommand::Categories => return Err(not_here("categories")),
        TemplatesCommand::Send(_) => return Err(not_sent_here()),
    }
    Ok(Exit::Done)
}

async fn list(asked: &Asked<'_>) -> Result<(), Failure> {
    print(&asked.app.push.templates(asked.appid).await?, asked.json);
    Ok(())
}

/// Prints templates with their keys.
pub(super) fn print(templates: &[Template], json: bool) {
    if json {
        let shown = templates.iter().cloned().map(TemplateResponse::from);
        return output::json(&shown.collect::<Vec<_>>());
    }
    let rows: Vec<_> = templates
        .iter()
        .map(|template| {
            [template.id.to_string(), template.title.clone(), template.keys().join(" ")]
        })
        .collect();
    output::table(["TEMPLATE", "TITLE", "KEYS"], &rows);
}
