//! `keys`: creates, lists, revokes and replaces API keys.

use std::time::Duration;

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{Exit, Failure, Global, context, output};
use crate::app::App;
use crate::keys::{IssuedKey, Key, NewKey};
use crate::model::{AppId, Scope};

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);

/// The actor recorded in the audit trail.
const ACTOR: &str = "cli";

/// Manage API keys. A running `serve` applies a change within 5 seconds
#[derive(Debug, Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Create a key; it is shown only once
    Create(Create),
    /// List all keys, without their secrets
    List,
    /// Revoke a key immediately and permanently
    Revoke {
        /// The key's id: the part between `ubk_` and the next `_`
        id: String,
    },
    /// Replace a key by a new one with the same permissions
    Roll {
        /// The old key's id
        id: String,
        /// Hours during which both keys work; 0 revokes the old one immediately
        #[arg(long, value_name = "H", default_value_t = 24, value_parser = clap::value_parser!(u32).range(..=8_760))]
        overlap_hours: u32,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// A name for the key, such as the program that uses it
    #[arg(long)]
    name: String,
    /// What the key may do: login, resolve, erase, push, templates, token, sync, read, metrics
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',')]
    scopes: Vec<Scope>,
    /// Restrict the key to this account, by name or AppID; may be repeated. Default: all accounts
    #[arg(long = "app", value_name = "ACCOUNT")]
    apps: Vec<String>,
    /// Requests per second, instead of http.key_requests_per_second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: Option<u32>,
    /// Days after which the key expires
    #[arg(long, value_name = "D", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    expires_in_days: Option<u32>,
}

impl Keys {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let app = context::open_app(global).await?;
        match self.command {
            KeysCommand::Create(create) => {
                let issued = app.keys.create(create.into_new_key(&app)?, ACTOR).await?;
                print_issued(&issued, global.json);
            }
            KeysCommand::List => list(&app.keys.list().await?, global.json),
            KeysCommand::Revoke { id } => {
                let key = app.keys.revoke(&id, ACTOR).await?;
                output::message(format_args!("revoked key {} ({})", key.id, key.name));
                if global.json {
                    output::json(&key);
                }
            }
            KeysCommand::Roll { id, overlap_hours } => {
                let rolled = app.keys.roll(&id, HOUR * overlap_hours, ACTOR).await?;
                print_issued(&rolled.new, global.json);
                output::message(format_args!(
                    "{id} expires at {}",
                    formatted(rolled.old.expires_at)
                ));
            }
        }
        Ok(Exit::Done)
    }
}

impl Create {
    fn into_new_key(self, app: &App) -> Result<NewKey, Failure> {
        let appids = self.apps.iter().map(|named| context::account(&app.config, named));
        Ok(NewKey {
            name: self.name,
            scopes: self.scopes,
            appids: appids.collect::<Result<_, _>>()?,
            requests_per_second: self.limit,
            life: self.expires_in_days.map(|days| DAY * days),
        })
    }
}

/// Prints a new key. Its text is never shown again.
fn print_issued(issued: &IssuedKey, json: bool) {
    let (key, text) = (&issued.key, issued.text.expose_secret());
    if json {
        return output::json(&json!({
            "id": key.id, "name": key.name, "key": text, "scopes": key.scopes,
            "appids": key.appids, "requests_per_second": key.requests_per_second,
            "expires_at": key.expires_at,
        }));
    }
    output::data(text);
    let Key { id, name, .. } = key;
    output::message(format_args!("created key {id} ({name}); store it now, it is not shown again"));
}

fn list(keys: &[Key], json: bool) {
    if json {
        return output::json(&keys);
    }
    let rows: Vec<_> = keys
        .iter()
        .map(|key| {
            [
                key.id.clone(),
                key.name.clone(),
                joined(key.scopes.iter().map(|scope| scope.as_str())),
                joined(key.appids.iter().map(AppId::as_str)),
                key.requests_per_second.map(|limit| limit.to_string()).unwrap_or_default(),
                formatted(Some(key.created_at)),
                formatted(key.last_used_at),
                formatted(key.expires_at),
                formatted(key.revoked_at),
            ]
        })
        .collect();
    let heading =
        ["ID", "NAME", "SCOPES", "APPS", "LIMIT", "CREATED (UTC)", "USED", "EXPIRES", "REVOKED"];
    output::table(heading, &rows);
}

fn formatted(instant: Option<chrono::DateTime<chrono::Utc>>) -> String {
    instant.map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
}

fn joined<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(",")
}
