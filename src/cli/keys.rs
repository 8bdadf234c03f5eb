//! `keys`: who may call the API.

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

/// Who acts, in the audit trail.
const ACTOR: &str = "cli";

/// The API's keys. A running `serve` knows of a change within 5 seconds.
#[derive(Debug, Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a key; it is shown once
    Create(Create),
    /// Every key, without its secret
    List,
    /// End a key at once and for good
    Revoke {
        /// The key's public part: what stands between `ubk_` and the next `_`
        id: String,
    },
    /// Make a key that may do the same, and have the old one end
    Roll {
        /// The old key's public part
        id: String,
        /// Hours for which both are good; 0 ends the old one at once
        #[arg(long, value_name = "H", default_value_t = 24, value_parser = clap::value_parser!(u32).range(..=8_760))]
        overlap_hours: u32,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// What its owner is called
    #[arg(long)]
    name: String,
    /// What it may do: login, resolve, erase, push, templates, token, sync, read, metrics
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',')]
    scopes: Vec<Scope>,
    /// An account it may name, by name or AppID, and no other than those named; may be repeated
    #[arg(long = "app", value_name = "ACCOUNT")]
    apps: Vec<String>,
    /// Requests a second, instead of http.key_requests_per_second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: Option<u32>,
    /// Days after which it ends by itself
    #[arg(long, value_name = "D", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    expires_in_days: Option<u32>,
}

impl Keys {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let app = context::opened(global).await?;
        match self.command {
            KeysCommand::Create(create) => {
                let issued = app.keys.create(create.asked(&app)?, ACTOR).await?;
                tell(&issued, global.json);
            }
            KeysCommand::List => list(&app.keys.list().await?, global.json),
            KeysCommand::Revoke { id } => {
                let key = app.keys.revoke(&id, ACTOR).await?;
                output::talk(format_args!("{} ({}) is revoked", key.id, key.name));
                if global.json {
                    output::json(&key);
                }
            }
            KeysCommand::Roll { id, overlap_hours } => {
                let rolled = app.keys.roll(&id, HOUR * overlap_hours, ACTOR).await?;
                tell(&rolled.new, global.json);
                output::talk(format_args!("{id} ends at {}", written(rolled.old.expires_at)));
            }
        }
        Ok(Exit::Done)
    }
}

impl Create {
    fn asked(self, app: &App) -> Result<NewKey, Failure> {
        let appids = self.apps.iter().map(|asked| context::account(&app.config, asked));
        Ok(NewKey {
            name: self.name,
            scopes: self.scopes,
            appids: appids.collect::<Result<_, _>>()?,
            requests_per_second: self.limit,
            life: self.expires_in_days.map(|days| DAY * days),
        })
    }
}

/// The only time that the key's text is shown.
fn tell(issued: &IssuedKey, json: bool) {
    let (key, text) = (&issued.key, issued.text.expose_secret());
    if json {
        return output::json(&json!({
            "id": key.id, "name": key.name, "key": text, "scopes": key.scopes,
            "appids": key.appids, "requests_per_second": key.requests_per_second,
            "expires_at": key.expires_at,
        }));
    }
    output::data(text);
    output::talk(format_args!("{} ({}): keep it now, it is not shown again", key.id, key.name));
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
                written(Some(key.created_at)),
                written(key.last_used_at),
                written(key.expires_at),
                written(key.revoked_at),
            ]
        })
        .collect();
    let heading =
        ["ID", "NAME", "SCOPES", "APPS", "LIMIT", "CREATED (UTC)", "USED", "EXPIRES", "REVOKED"];
    output::table(heading, &rows);
}

fn written(instant: Option<chrono::DateTime<chrono::Utc>>) -> String {
    instant.map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
}

fn joined<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(",")
}
