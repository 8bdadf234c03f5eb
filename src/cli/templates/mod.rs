//! `templates`: what an account may send, as WeChat has it.
//!
//! An Official Account's templates come from WeChat's template library by a short number; a Mini Program's
//! are made of keywords of a public library. The commands are the same, and the account tells which is
//! meant.

mod legacy;
mod official;
mod program;

use clap::{Args, Subcommand};

use super::{Exit, Failure, Global, context, output};
use crate::app::App;
use crate::model::{AppId, TemplateId};

/// An account's message templates.
#[derive(Debug, Args)]
pub(super) struct Templates {
    #[command(subcommand)]
    command: TemplatesCommand,
    /// The Official Account or Mini Program, by name or AppID; may be left out where one Official Account
    /// is configured
    #[arg(long, global = true, value_name = "ACCOUNT")]
    app: Option<String>,
    /// Use the form_id templates of Mini Programs, which WeChat withdrew in 2020: for gateways that still
    /// serve them
    #[arg(long, global = true)]
    legacy: bool,
}

#[derive(Debug, Subcommand)]
enum TemplatesCommand {
    /// The account's templates
    List,
    /// Add a template of WeChat's library
    Add(Add),
    /// Take a template from the account
    Delete {
        /// The template, as `templates list` names it
        template_id: TemplateId,
    },
    /// A Mini Program's public library: its titles, or with --legacy the templates of old
    Library {
        /// A category, as `templates categories` numbers it; may be repeated. All of the program's where
        /// none is given
        #[arg(long = "category", value_name = "N")]
        categories: Vec<i64>,
        /// Begin after so many
        #[arg(long, value_name = "N", default_value_t = 0)]
        start: u64,
    },
    /// The keywords that a template of a Mini Program's library can be made of
    Keywords {
        /// The template, as `templates library` numbers it
        number: String,
    },
    /// The categories that a Mini Program may take templates of
    Categories,
    /// Send a message that a form_id allows; with --legacy only
    Send(legacy::Send),
}

/// What to add.
#[derive(Debug, Args)]
struct Add {
    /// The template's number in WeChat's library, such as TM00015 or 43216
    number: String,
    /// A keyword's name, in the order in which they are to stand; may be repeated. Official Accounts
    /// need them for templates of a category, whose number is all digits
    #[arg(long = "keyword", value_name = "NAME")]
    keywords: Vec<String>,
    /// A keyword's number, in the order in which they are to stand; may be repeated. Mini Programs need
    /// two to five
    #[arg(long = "keyword-id", value_name = "N", conflicts_with = "keywords")]
    keyword_ids: Vec<i64>,
    /// What a Mini Program's template is for, in up to 15 characters
    #[arg(long, value_name = "TEXT", default_value = "")]
    scene: String,
}

impl Templates {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let app = context::opened(global).await?;
        let appid = match self.legacy {
            true => context::program(&app.config, self.app.as_deref())?,
            false => context::sender(&app.config, self.app.as_deref())?,
        };
        let asked = Asked { app: &app, appid: &appid, json: global.json };
        let is_official = app.config.official_accounts.iter().any(|known| known.appid == appid);
        let kind = match (self.legacy, is_official) {
            (true, _) => Kind::Legacy,
            (false, true) => Kind::Official,
            (false, false) => Kind::Program,
        };
        self.command.suits(kind)?;
        match kind {
            Kind::Legacy => legacy::run(&asked, self.command).await,
            Kind::Official => official::run(&asked, self.command).await,
            Kind::Program => program::run(&asked, self.command).await,
        }
    }
}

/// What kind of templates is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An Official Account's.
    Official,
    /// A Mini Program's, for subscribe messages.
    Program,
    /// A Mini Program's of old.
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
    /// Refuses options that this kind of templates has not: they would be passed over.
    fn suits(&self, kind: Kind) -> Result<(), Failure> {
        let (option, hint) = match (self, kind) {
            (Self::Add(add), Kind::Official) if !add.keyword_ids.is_empty() => {
                ("--keyword-id", "name the keywords with --keyword")
            }
            (Self::Add(add), Kind::Program | Kind::Legacy) if !add.keywords.is_empty() => {
                ("--keyword", "give the keywords' numbers with --keyword-id")
            }
            (Self::Add(add), Kind::Official | Kind::Legacy) if !add.scene.is_empty() => {
                ("--scene", "leave it out")
            }
            (Self::Library { categories, .. }, Kind::Legacy) if !categories.is_empty() => {
                ("--category", "leave it out: the library of old has no categories")
            }
            _ => return Ok(()),
        };
        let error = anyhow::anyhow!("{option} is not for {}", kind.name());
        Err(Failure::new(Exit::Usage, error, Some(hint.to_owned())))
    }
}

/// Whose templates are meant, and how to tell.
struct Asked<'a> {
    app: &'a App,
    appid: &'a AppId,
    json: bool,
}

/// What this kind of account has not.
fn not_here(what: &'static str) -> Failure {
    let error = anyhow::anyhow!("there are no {what} here");
    let hint =
        "only a Mini Program's public library has them: name one with --app, without --legacy";
    Failure::new(Exit::Usage, error, Some(hint.to_owned()))
}

/// What takes the place of sending here.
fn not_sent_here() -> Failure {
    let error = anyhow::anyhow!("only messages with a form_id are sent here");
    let hint = "`unionid-bridge send` sends template and subscribe messages";
    Failure::new(Exit::Usage, error, Some(hint.to_owned()))
}

/// Prints titles of a library that begin after `start`, and how to go on.
fn print_part(rows: &[[String; 2]], start: u64, count: u64) {
    output::table(["NUMBER", "TITLE"], rows);
    let seen = start + rows.len() as u64;
    if seen < count {
        output::talk(format_args!("{seen} of {count}: go on with --start {seen}"));
    }
}
