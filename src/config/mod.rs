//! Configuration: what the operator decides, checked as a whole before anything starts.
//!
//! Three layers: the embedded `config.default.toml`, which documents every key, the file, the
//! environment. All mistakes are reported at once, each with its place and what was probably meant.
//! A secret's value is in no mistake, no `Debug` and no [`Settings`]. Opens no connection and knows
//! nothing of the modules that it configures.

mod account;
mod address;
mod check;
mod layers;
mod mistake;
mod read;
mod report;
mod secret;
mod section;
mod settings;
mod sources;
#[cfg(test)]
mod tests;
mod toml_text;
mod value;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;
use croner::Cron;
use secrecy::SecretString;
use url::Url;

use crate::model::AppId;

pub use account::UnknownAccount;
pub use mistake::{Error, Mistake, Origin};
pub use settings::{Setting, Settings};
pub use sources::Sources;

/// The embedded lowest layer, which is also the documentation of every key.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// A configuration without mistakes, and what may be said about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// What is legal but probably not wanted.
    pub warnings: Vec<Mistake>,
    /// Every key with its value and origin, secrets redacted.
    pub settings: Settings,
    /// The files that a secret was read from.
    pub secret_files: BTreeSet<PathBuf>,
}

/// Reads and checks all layers; the error holds every mistake found in them.
pub fn load(sources: &Sources) -> Result<Loaded, Error> {
    let layers = layers::Layers::stack(sources)?;
    read::read(&layers)
}

/// Everything that can be configured, one struct per section.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything is kept.
    pub database: Database,
    /// The HTTP server.
    pub http: Http,
    /// How WeChat is reached.
    pub wechat: Wechat,
    /// Accounts whose followers are mirrored.
    pub official_accounts: Vec<OfficialAccount>,
    /// Programs whose users log in here.
    pub mini_programs: Vec<MiniProgram>,
    /// How users log in.
    pub login: Login,
    /// How messages are sent.
    pub push: Push,
    /// The nightly run.
    pub sync: Sync,
    /// What is forgotten.
    pub privacy: Privacy,
    /// Encryption at rest.
    pub security: Security,
    /// Logging.
    pub log: Log,
}

/// `[database]`
#[derive(Debug, Clone)]
pub struct Database {
    /// `sqlite:`, `postgres:` or `mysql:`; a secret since it may hold a password.
    pub url: SecretString,
    /// Connections this process keeps at most.
    pub max_connections: u32,
}

/// `[http]`
#[derive(Debug, Clone)]
pub struct Http {
    /// Where `serve` listens.
    pub listen: SocketAddr,
    /// Whether access tokens are given out to the company's other programs.
    pub token_api: bool,
    /// Requests a second for each API key that has no limit of its own; 0 for no limit.
    pub key_requests_per_second: u32,
}

/// `[wechat]`
#[derive(Debug, Clone)]
pub struct Wechat {
    /// Where the API is; its path ends with `/`, so that `join` keeps a prefix.
    pub base_url: Url,
    /// Seconds that one call may take.
    pub timeout_seconds: u64,
    /// PEM certificates trusted besides the public ones.
    pub ca_file: Option<PathBuf>,
}

impl Wechat {
    /// How long one call may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}

/// One of `[[official_accounts]]`
#[derive(Debug, Clone)]
pub struct OfficialAccount {
    /// What commands and logs call it; the AppID where none was given.
    pub name: String,
    /// The account's AppID.
    pub appid: AppId,
    /// The account's AppSecret.
    pub secret: SecretString,
    /// Signs callbacks; `None` where they are not used.
    pub callback_token: Option<SecretString>,
    /// Encrypts callbacks (43 characters); `None` where they come in plain mode.
    pub encoding_aes_key: Option<SecretString>,
}

/// One of `[[mini_programs]]`
#[derive(Debug, Clone)]
pub struct MiniProgram {
    /// What commands and logs call it; the AppID where none was given.
    pub name: String,
    /// The program's AppID.
    pub appid: AppId,
    /// The program's AppSecret.
    pub secret: SecretString,
    /// Signs callbacks; `None` where they are not used.
    pub callback_token: Option<SecretString>,
    /// Encrypts callbacks (43 characters); `None` where they come in plain mode.
    pub encoding_aes_key: Option<SecretString>,
}

/// `[login]`
#[derive(Debug, Clone)]
pub struct Login {
    /// Seconds after which a login is answered although WeChat has not, 1 to 60.
    pub timeout_seconds: u64,
    /// Whether the session_key of the latest login is kept, sealed.
    pub store_session_key: bool,
    /// Codes a minute that WeChat may refuse before an API key's logins have to wait.
    pub refused_codes_per_minute: u32,
}

impl Login {
    /// After how long a login is answered at the latest.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}

/// `[push]`
#[derive(Debug, Clone)]
pub struct Push {
    /// Whether `serve` sends what is queued.
    pub enabled: bool,
    /// Messages a second that one account sends, by all processes together.
    pub rate_per_second: u32,
    /// Sends of one account in flight, by this process.
    pub concurrency: usize,
    /// Hours after which a message that could not be sent is given up.
    pub expire_after_hours: u32,
    /// Days for which messages are kept.
    pub keep_days: u32,
}

/// `[privacy]`
#[derive(Debug, Clone)]
pub struct Privacy {
    /// Days after which a follower who left is forgotten; 0 for never.
    pub forget_unfollowed_after_days: u32,
}

/// `[sync]`
#[derive(Debug, Clone)]
pub struct Sync {
    /// Whether `serve` runs the schedule.
    pub enabled: bool,
    /// When the nightly run starts, seconds first.
    pub schedule: Cron,
    /// The time zone of the schedule.
    pub timezone: Tz,
    /// How profiles are fetched.
    pub profile_api: ProfileApi,
    /// Profile calls in flight, 1 to 100.
    pub concurrency: usize,
    /// Days after which a known profile is asked again.
    pub refresh_after_days: u32,
    /// Share of the followers that one run may mark as unfollowed, 0 to 1.
    pub max_unfollow_ratio: f64,
    /// Seconds for which a process that died blocks an account's sync.
    pub lease_seconds: u64,
}

/// How followers' profiles are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileApi {
    /// `user/info/batchget`: 100 followers a call.
    Batchget,
    /// `user/info`: one follower a call.
    Info,
}

/// `[security]`
#[derive(Debug, Clone)]
pub struct Security {
    /// Base64 of 32 bytes each, checked; the first encrypts, all decrypt. May be empty.
    pub encryption_keys: Vec<SecretString>,
}

/// `[log]`
#[derive(Debug, Clone)]
pub struct Log {
    /// An `EnvFilter` directive list, checked.
    pub filter: String,
    /// How lines are written.
    pub format: LogFormat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
