//! `templates`: lists, adds and deletes an account's message templates at WeChat.
//!
//! An Official Account adds templates from WeChat's library by number. A Mini Program composes them from
//! the keywords of a template in a public library. The commands are the same for both; the kind of
//! account decides which API is used.

mod legacy;
mod official;
mod program;

use clap::{Args, Subcommand};

use super::{Exit, Failure, Global, context, output};
use crate::app::App;
use crate::model::{AppId, TemplateId};

/// List, add and delete an account's message templates
#[derive(Debug, Args)]
pub(super) struct Templates {
    #[command(subcommand)]
    command: TemplatesCommand,
    /// The Official Account or Mini Program, by name or AppID; optional if only one Official Account is
    /// configured
    #[arg(long, global = true, value_name = "ACCOUNT")]
    app: Option<String>,
    /// Use the form_id templates of Mini Programs, which WeChat withdrew in 2020 but some gateways still
    /// serve
    #[arg(long, global = true)]
    legacy: bool,
}

#[derive(Debug, Subcommand)]
enum TemplatesCommand {
    /// List the account's templates
    List,
    /// Add a template from WeChat's library
    Add(Add),
    /// Delete a template from the account
    Delete {
        /// The template's id, from `templates list`
        template_id: TemplateId,
    },
    /// List the titles in a Mini Program's public library; with --legacy, in the library of form_id
    /// templates
    Library {
        /// A category's number, from `templates categories`; may be repeated [default: all of the
        /// program's categories]
        #[arg(long = "category", value_name = "N")]
        categories: Vec<i64>,
        /// Number of titles to skip
        #[arg(long, value_name = "N", default_value_t = 0)]
        start: u64,
    },
    /// List the keywords of a template in a Mini Program's library
    Keywords {
        /// The template's number, from `templates library`
        number: String,
    },
    /// List the categories whose templates a Mini Program may use
    Categories,
    /// Send a message with a form_id; requires --legacy
    Send(legacy::Send),
}

/// Add a template from WeChat's library.
#[derive(Debug, Args)]
struct Add {
    /// The template's number in WeChat's library, such as TM00015 or 43216
    number: String,
    /// A keyword's name; may be repeated, in the order in which they appear in the message. Required for
    /// Official Account templates that belong to a category: their numbers consist of digits only
    #[arg(long = "keyword", value_name = "NAME")]
    keywords: Vec<String>,
    /// A keyword's number, from `templates keywords`; may be repeated, in the order in which they appear
    /// in the message. Mini Programs need two to five
    #[arg(long = "keyword-id", value_name = "N", conflicts_with = "keywords")]
    keyword_ids: Vec<i64>,
    /// The purpose of a Mini Program's template, in up to 15 characters
    #[arg(long, value_name = "TEXT", default_value = "")]
    scene: String,
}

impl Templates {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let app = context::open_app(global).await?;
        let appid = match self.legacy {
            true => context::program(&app.config, self.app.as_deref())?,
            false => context::sender(&app.config, self.app.as_deref())?,
        };
        let target = Target { app: &app, appid: &appid, json: global.json };
        let is_official = app.config.official_accounts.iter().any(|known| known.appid == appid);
        let kind = match (self.legacy, is_official) {
            (true, _) => Kind::Legacy,
            (false, true) => Kind::Official,
            (false, false) => Kind::Program,
        };
        self.command.check_options(kind)?;
        match kind {
            Kind::Legacy => legacy::run(&target, self.command).await,
            Kind::Official => official::run(&target, self.command).await,
            Kind::Program => program::run(&target, self.command).await,
        }
    }
}

/// Which of WeChat's template APIs to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Template messages of an Official Account.
    Official,
    /// Subscribe messages of a Mini Program.
    Program,
    /// The withdrawn form_id templates of a Mini Program.
    Legacy,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Official => "Official Accounts",
            Self::Program => "Mini Programs",
            Self::Legacy => "templates with a form_id",
        }
    }
}

impl TemplatesCommand {
    /// Rejects options that this kind of template does not have and would silently ignore.
    fn check_options(&self, kind: Kind) -> Result<(), Failure> {
        let (option, hint) = match (self, kind) {
            (Self::Add(add), Kind::Official) if !add.keyword_ids.is_empty() => {
                ("--keyword-id", "give the keywords by name with --keyword")
            }
            (Self::Add(add), Kind::Program | Kind::Legacy) if !add.keywords.is_empty() => {
                ("--keyword", "give the keywords by number with --keyword-id")
            }
            (Self::Add(add), Kind::Official | Kind::Legacy) if !add.scene.is_empty() => {
                ("--scene", "remove the option")
            }
            (Self::Library { categories, .. }, Kind::Legacy) if !categories.is_empty() => {
                ("--category", "remove the option: the legacy library has no categories")
            }
            _ => return Ok(()),
        };
        let error = anyhow::anyhow!("{option} cannot be used for {}", kind.name());
        Err(Failure::new(Exit::Usage, error, Some(hint.to_owned())))
    }
}

/// The account to work on, and the output format.
struct Target<'a> {
    app: &'a App,
    appid: &'a AppId,
    json: bool,
}

/// The failure of a command that this kind of template does not have.
fn not_available(what: &'static str) -> Failure {
    let error = anyhow::anyhow!("this account has no template {what}");
    let hint = "only Mini Programs have them: name one with --app, without --legacy";
    Failure::new(Exit::Usage, error, Some(hint.to_owned()))
}

/// The failure of `templates send` without `--legacy`.
fn needs_legacy() -> Failure {
    let error = anyhow::anyhow!("`templates send` only sends messages with a form_id");
    let hint = "use `unionid-bridge send` for template and subscribe messages";
    Failure::new(Exit::Usage, error, Some(hint.to_owned()))
}

/// Prints a page of library titles that starts after `start` titles, and how to get the next page.
fn print_titles(rows: &[[String; 2]], start: u64, count: u64) {
    output::table(["NUMBER", "TITLE"], rows);
    let end = start + rows.len() as u64;
    if end < count {
        output::message(format_args!("{end} of {count} shown, continue with --start {end}"));
    }
}
