//! Configuration: loaded and validated as a whole before anything starts.
//!
//! There are three layers: the embedded `config.default.toml`, which documents every key, then the
//! operator's file, then the environment. All mistakes are reported at once, each with its position and
//! a suggestion. The value of a secret never appears in a mistake, in `Debug` output or in [`Settings`].
//! This module opens no connection and knows nothing of the modules it configures.

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

/// The embedded lowest layer, which also documents every key.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// A valid configuration, and what may be shown about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Values that are valid but probably unintended.
    pub warnings: Vec<Mistake>,
    /// Every key with its value and origin; secrets are redacted.
    pub settings: Settings,
    /// The files that a secret was read from.
    pub secret_files: BTreeSet<PathBuf>,
}

/// Loads and validates all layers. The error contains every mistake.
pub fn load(sources: &Sources) -> Result<Loaded, Error> {
    let layers = layers::Layers::stack(sources)?;
    read::read(&layers)
}

/// The configuration, one struct per section.
#[derive(Debug, Clone)]
pub struct Config {
    /// The database connection.
    pub database: Database,
    /// The HTTP server.
    pub http: Http,
    /// The connection to WeChat's API.
    pub wechat: Wechat,
    /// Official Accounts whose followers are mirrored.
    pub official_accounts: Vec<OfficialAccount>,
    /// Mini Programs whose users log in here.
    pub mini_programs: Vec<MiniProgram>,
    /// Logins of Mini Program users.
    pub login: Login,
    /// Sending of messages.
    pub push: Push,
    /// The sync of followers.
    pub sync: Sync,
    /// Retention of personal data.
    pub privacy: Privacy,
    /// Encryption at rest.
    pub security: Security,
    /// Logging.
    pub log: Log,
}

/// `[database]`
#[derive(Debug, Clone)]
pub struct Database {
    /// A `sqlite:`, `postgres:` or `mysql:` URL; secret because it may contain a password.
    pub url: SecretString,
    /// Maximum number of connections of this process.
    pub max_connections: u32,
}

/// `[http]`
#[derive(Debug, Clone)]
pub struct Http {
    /// Address and port that `serve` listens on.
    pub listen: SocketAddr,
    /// Whether the API returns access tokens to the company's other programs.
    pub token_api: bool,
    /// Requests per second for each API key without its own limit; 0 means unlimited.
    pub key_requests_per_second: u32,
}

/// `[wechat]`
#[derive(Debug, Clone)]
pub struct Wechat {
    /// Base URL of the API. Its path ends with `/`, so that `join` keeps a path prefix.
    pub base_url: Url,
    /// Timeout of one call, in seconds.
    pub timeout_seconds: u64,
    /// PEM file with certificates to trust in addition to the public ones.
    pub ca_file: Option<PathBuf>,
}

impl Wechat {
    /// Returns the timeout of one call.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}

/// One of `[[official_accounts]]`
#[derive(Debug, Clone)]
pub struct OfficialAccount {
    /// Name in commands and logs; defaults to the AppID.
    pub name: String,
    /// The account's AppID.
    pub appid: AppId,
    /// The account's AppSecret.
    pub secret: SecretString,
    /// The Token that signs callbacks; `None` if callbacks are not used.
    pub callback_token: Option<SecretString>,
    /// The EncodingAESKey that encrypts callbacks (43 characters); `None` in plain mode.
    pub encoding_aes_key: Option<SecretString>,
}

/// One of `[[mini_programs]]`
#[derive(Debug, Clone)]
pub struct MiniProgram {
    /// Name in commands and logs; defaults to the AppID.
    pub name: String,
    /// The program's AppID.
    pub appid: AppId,
    /// The program's AppSecret.
    pub secret: SecretString,
    /// The Token that signs callbacks; `None` if callbacks are not used.
    pub callback_token: Option<SecretString>,
    /// The EncodingAESKey that encrypts callbacks (43 characters); `None` in plain mode.
    pub encoding_aes_key: Option<SecretString>,
}

/// `[login]`
#[derive(Debug, Clone)]
pub struct Login {
    /// Deadline for answering a login, in seconds, 1 to 60.
    pub timeout_seconds: u64,
    /// Whether the session_key of the latest login is stored, encrypted.
    pub store_session_key: bool,
    /// Codes per minute that WeChat may reject before logins of the API key are limited.
    pub refused_codes_per_minute: u32,
}

impl Login {
    /// Returns the deadline for answering a login.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}

/// `[push]`
#[derive(Debug, Clone)]
pub struct Push {
    /// Whether `serve` sends queued messages.
    pub enabled: bool,
    /// Messages per second of one account, across all processes.
    pub rate_per_second: u32,
    /// Concurrent sends of one account in this process.
    pub concurrency: usize,
    /// Hours after which an unsent message expires.
    pub expire_after_hours: u32,
    /// Days for which messages are stored.
    pub keep_days: u32,
}

/// `[privacy]`
#[derive(Debug, Clone)]
pub struct Privacy {
    /// Days after which a follower who left is erased; 0 means never.
    pub forget_unfollowed_after_days: u32,
}

/// `[sync]`
#[derive(Debug, Clone)]
pub struct Sync {
    /// Whether `serve` runs the schedule.
    pub enabled: bool,
    /// Cron expression of the nightly run, with seconds as the first field.
    pub schedule: Cron,
    /// Time zone of the schedule.
    pub timezone: Tz,
    /// The API that fetches profiles.
    pub profile_api: ProfileApi,
    /// Concurrent profile calls per account, 1 to 100.
    pub concurrency: usize,
    /// Days after which a known profile is fetched again.
    pub refresh_after_days: u32,
    /// Share of the known followers that one run may mark as unfollowed, 0 to 1.
    pub max_unfollow_ratio: f64,
    /// Seconds for which a process that died blocks the sync of its account.
    pub lease_seconds: u64,
}

/// The API that fetches followers' profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileApi {
    /// `user/info/batchget`: 100 followers per call.
    Batchget,
    /// `user/info`: one follower per call.
    Info,
}

/// `[security]`
#[derive(Debug, Clone)]
pub struct Security {
    /// Keys of 32 bytes in base64, validated. The first encrypts, all decrypt. May be empty.
    pub encryption_keys: Vec<SecretString>,
}

/// `[log]`
#[derive(Debug, Clone)]
pub struct Log {
    /// An `EnvFilter` directive list, validated.
    pub filter: String,
    /// The format of log lines.
    pub format: LogFormat,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Human-readable text.
    Text,
    /// One JSON object per line.
    Json,
}
