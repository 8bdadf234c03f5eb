//! `industry`: the lines of business that an Official Account takes its templates of.

use clap::{Args, Subcommand};

use super::{Exit, Failure, Global, context, output};
use crate::http::answer::IndustryResponse;
use crate::push::{Industries, Industry as Line};

/// An Official Account's lines of business.
#[derive(Debug, Args)]
pub(super) struct Industry {
    #[command(subcommand)]
    command: IndustryCommand,
    /// The Official Account, by name or AppID; may be left out where one is configured
    #[arg(long, global = true, value_name = "ACCOUNT")]
    app: Option<String>,
}

#[derive(Debug, Subcommand)]
enum IndustryCommand {
    /// What is set
    Show,
    /// Set both; WeChat allows it once a month
    Set {
        /// WeChat's number of the first, such as 1 for Internet and e-commerce
        first: String,
        /// WeChat's number of the second
        second: String,
    },
}

impl Industry {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let app = context::opened(global).await?;
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
    let row = |which: &str, line: &Option<Line>| match line {
        Some(Line { first_class, second_class }) => {
            [which.to_owned(), first_class.clone(), second_class.clone()]
        }
        None => [which.to_owned(), "(not set)".to_owned(), String::new()],
    };
    let rows = [row("primary", &industries.primary), row("secondary", &industries.secondary)];
    output::table(["INDUSTRY", "SECTOR", "BRANCH"], &rows);
}
