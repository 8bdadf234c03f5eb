//! `industry`: the industries of an Official Account, which decide the templates it may use.

use clap::{Args, Subcommand};

use super::{Exit, Failure, Global, context, output};
use crate::http::responses::IndustryResponse;
use crate::push::{Industries, Industry as Entry};

/// Show or set an Official Account's industries, which decide the templates it may use
#[derive(Debug, Args)]
pub(super) struct Industry {
    #[command(subcommand)]
    command: IndustryCommand,
    /// The Official Account, by name or AppID; optional if only one is configured
    #[arg(long, global = true, value_name = "ACCOUNT")]
    app: Option<String>,
}

#[derive(Debug, Subcommand)]
enum IndustryCommand {
    /// Show both industries
    Show,
    /// Set both industries; WeChat allows this once a month
    Set {
        /// WeChat's number of the primary industry, such as 1 for Internet and e-commerce
        first: String,
        /// WeChat's number of the secondary industry
        second: String,
    },
}

impl Industry {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let app = context::open_app(global).await?;
        let appid = context::sender(&app.config, self.app.as_deref())?;
        if let IndustryCommand::Set { first, second } = &self.command {
            app.push.set_industries(&appid, first, second).await?;
        }
        print(app.push.industries(&appid).await?, global.json);
        Ok(Exit::Done)
    }
}

fn print(industries: Industries, json: bool) {
    if json {
        return output::json(&IndustryResponse::from(industries));
    }
    let row = |which: &str, entry: &Option<Entry>| match entry {
        Some(Entry { first_class, second_class }) => {
            [which.to_owned(), first_class.clone(), second_class.clone()]
        }
        None => [which.to_owned(), "(not set)".to_owned(), String::new()],
    };
    let rows = [row("primary", &industries.primary), row("secondary", &industries.secondary)];
    output::table(["INDUSTRY", "SECTOR", "BRANCH"], &rows);
}
