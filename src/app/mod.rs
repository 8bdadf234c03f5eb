//! The application: builds every feature from the configuration.
//!
//! [`App`] is what the commands, the scheduler and the API share. Features take their own settings, so
//! this module is the only one that translates [`Config`] into them.

mod identity;
mod messages;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret, SecretSlice};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{Config, OfficialAccount, ProfileApi};
use crate::inbox::{self, Inbox};
use crate::keys::Keyring;
use crate::lease::Holder;
use crate::login::Login;
use crate::model::AppId;
use crate::push::Push;
use crate::resolve::{Accounts, Resolver};
use crate::seal::Sealer;
use crate::store::{self, Store, accounts, followers, runs, schema};
use crate::token::{Credentials, Keeper};
use crate::{erasure, push, sync, wechat};

/// How long background work waits for a free database connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a statement may take, including waits for locks. The longest statement writes a part of a
/// sync's page.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(20);

/// Profile calls in flight per account for followers that callbacks reported.
const CALLBACK_CONCURRENCY: usize = 8;

/// Why the application cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be used.
    #[error("cannot use the database")]
    Store(#[from] store::Error),
    /// The schema is behind, and the caller did not allow migrating.
    #[error("the database lacks {pending} migrations")]
    Behind {
        /// How many migrations are missing.
        pending: usize,
    },
    /// The client of WeChat's API cannot be built.
    #[error("cannot prepare the calls to WeChat")]
    Wechat(#[from] wechat::BuildError),
    /// An EncodingAESKey is invalid.
    #[error("cannot prepare the callbacks")]
    Callback(#[from] wechat::callback::SetupError),
    /// `wechat.ca_file` cannot be read.
    #[error("cannot read wechat.ca_file {path}")]
    CaFile {
        /// The file.
        path: String,
        /// Why the file cannot be read.
        source: std::io::Error,
    },
}

impl Error {
    /// Whether the operator has to change the configuration.
    pub fn is_configuration(&self) -> bool {
        matches!(self, Self::Wechat(_) | Self::Callback(_) | Self::CaFile { .. })
    }

    /// Returns the operator's next step.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => Some(error.hint().to_owned()),
            Self::Behind { .. } => Some("run `unionid-bridge migrate up`".into()),
            Self::Wechat(error) => error.hint().map(str::to_owned),
            Self::Callback(_) => {
                Some("copy the EncodingAESKey from WeChat's console into encoding_aes_key".into())
            }
            Self::CaFile { .. } => {
                Some("set wechat.ca_file to a readable file with PEM certificates".into())
            }
        }
    }
}

/// The features and resources that the commands, the scheduler and the API share.
pub struct App {
    /// The configuration.
    pub config: Config,
    /// The database.
    pub store: Store,
    /// Keeps the access tokens of all accounts.
    pub tokens: Arc<Keeper>,
    /// The configured accounts.
    pub accounts: Arc<Accounts>,
    /// Finds a user's openid in an Official Account.
    pub resolver: Resolver,
    /// Exchanges login codes.
    pub login: Login,
    /// Accepts and sends messages.
    pub push: Arc<Push>,
    /// The API keys.
    pub keys: Arc<Keyring>,
    /// The current time.
    pub clock: Clock,
    /// Processes WeChat's callbacks.
    pub inbox: Arc<Inbox>,
    client: wechat::Client,
    holder: Holder,
}

impl App {
    /// Connects to the database, applies pending migrations and builds the features.
    pub async fn open(config: Config) -> Result<Self, Error> {
        let store = connect(&config).await?;
        schema::migrate_up(&store).await?;
        Self::on(config, store, Clock::system(), wechat::RetryPolicy::default()).await
    }

    /// Connects to the database and builds the features, without applying migrations.
    ///
    /// # Errors
    /// [`Error::Behind`] if the schema is not up to date.
    pub async fn open_without_migrating(config: Config) -> Result<Self, Error> {
        let store = connect(&config).await?;
        let pending = schema::pending(&store).await?;
        if pending > 0 {
            return Err(Error::Behind { pending });
        }
        Self::on(config, store, Clock::system(), wechat::RetryPolicy::default()).await
    }

    /// Builds the features on a database whose schema is up to date, with this clock and retry policy.
    pub async fn on(
        config: Config,
        store: Store,
        clock: Clock,
        retry: wechat::RetryPolicy,
    ) -> Result<Self, Error> {
        let client = client(&config, retry.clone())?;
        let holder = Holder::new();
        let tokens = keeper_with(&holder, &config, &store, &client);
        let limit = config.http.key_requests_per_second;
        let keys = Arc::new(Keyring::new(store.clone(), holder.clone(), limit));
        // The first load drops this index; a process that was killed during it never recreated it.
        if !runs::any_open(store.reader()).await? {
            followers::ensure_unionid_index(&store).await?;
        }
        let accounts = identity::accounts(&config);
        let resolver = Resolver::new(store.clone(), accounts.clone());
        let push = Push::new(push::Parts {
            store: store.clone(),
            resolver: resolver.clone(),
            accounts: accounts.clone(),
            senders: messages::senders(&config, &client, &tokens),
            settings: messages::settings(&config, retry),
        });
        let login = identity::login(&config, accounts.clone(), store.clone(), client.clone());
        let inbox = Inbox::new(store.clone(), callback_accounts(&config, &client, &tokens))?;
        Ok(Self {
            config,
            store,
            tokens,
            accounts,
            resolver,
            login,
            push,
            keys,
            clock,
            inbox,
            client,
            holder,
        })
    }

    /// Builds the job for one sync run of the account. Use each job once: it counts the run's calls.
    pub async fn sync_job(
        &self,
        account: &OfficialAccount,
        stop: CancellationToken,
        observer: sync::Observer,
    ) -> Result<sync::Job, Error> {
        let settings = sync_settings(&self.config);
        let concurrency = wechat::ConcurrencyLimit::new(settings.concurrency);
        Ok(sync::Job {
            store: self.store.clone(),
            account: accounts::find_or_insert(&self.store, &account.appid).await?,
            wechat: self.client.account(account.appid.clone(), self.tokens.clone(), concurrency),
            settings,
            holder: self.holder.clone(),
            stop,
            observer,
        })
    }

    /// Erases followers who left longer ago than `privacy.forget_unfollowed_after_days`, at most once a
    /// day. Returns how many were erased, or `None` if the setting is 0 or it was already done today.
    pub async fn erase_departed(&self, stop: &CancellationToken) -> Result<Option<u64>, Error> {
        let days = self.config.privacy.forget_unfollowed_after_days;
        if days == 0 {
            return Ok(None);
        }
        let mut numbers = Vec::new();
        for account in &self.config.official_accounts {
            numbers.push(accounts::find_or_insert(&self.store, &account.appid).await?);
        }
        Ok(erasure::erase_departed(&self.store, &self.holder, &numbers, days, stop).await?)
    }
}

/// Connects to the configured database.
pub async fn connect(config: &Config) -> Result<Store, Error> {
    let options = store::Options {
        url: config.database.url.expose_secret().to_owned(),
        max_connections: config.database.max_connections,
        acquire_timeout: ACQUIRE_TIMEOUT,
        statement_limit: STATEMENT_TIMEOUT,
    };
    Ok(Store::connect(&options).await?)
}

/// Builds the WeChat client from the configuration. Opens no connection yet.
pub fn client(config: &Config, retry: wechat::RetryPolicy) -> Result<wechat::Client, Error> {
    let options = wechat::Options { retry, ..client_options(config)? };
    Ok(wechat::Client::new(options)?)
}

/// Builds a token keeper for all configured accounts, without the rest of the application.
pub fn keeper(config: &Config, store: &Store, client: &wechat::Client) -> Arc<Keeper> {
    keeper_with(&Holder::new(), config, store, client)
}

fn keeper_with(
    holder: &Holder,
    config: &Config,
    store: &Store,
    client: &wechat::Client,
) -> Arc<Keeper> {
    Keeper::new(store.clone(), client.clone(), holder.clone(), credentials(config))
}

fn client_options(config: &Config) -> Result<wechat::Options, Error> {
    let ca_file_pem = match &config.wechat.ca_file {
        Some(path) => Some(
            std::fs::read(path)
                .map_err(|source| Error::CaFile { path: path.display().to_string(), source })?,
        ),
        None => None,
    };
    Ok(wechat::Options {
        base_url: config.wechat.base_url.to_string(),
        timeout: config.wechat.timeout(),
        ca_file_pem,
        ..wechat::Options::default()
    })
}

fn sync_settings(config: &Config) -> sync::Settings {
    let sync = &config.sync;
    sync::Settings {
        profile_api: match sync.profile_api {
            ProfileApi::Batchget => sync::ProfileApi::Batchget,
            ProfileApi::Info => sync::ProfileApi::Info,
        },
        concurrency: sync.concurrency,
        refresh_after_days: sync.refresh_after_days,
        max_unfollow_ratio: sync.max_unfollow_ratio,
        lease_duration: Duration::from_secs(sync.lease_seconds),
    }
}

/// Returns the inbox settings of every account that has a callback_token.
fn callback_accounts(
    config: &Config,
    client: &wechat::Client,
    tokens: &Arc<Keeper>,
) -> Vec<inbox::Settings> {
    let followers = |appid: &AppId| {
        let concurrency = wechat::ConcurrencyLimit::new(CALLBACK_CONCURRENCY);
        Some(client.account(appid.clone(), tokens.clone(), concurrency))
    };
    let official = config.official_accounts.iter().filter_map(|account| {
        Some(inbox::Settings {
            appid: account.appid.clone(),
            token: account.callback_token.clone()?,
            encoding_aes_key: account.encoding_aes_key.clone(),
            followers: followers(&account.appid),
        })
    });
    let programs = config.mini_programs.iter().filter_map(|program| {
        Some(inbox::Settings {
            appid: program.appid.clone(),
            token: program.callback_token.clone()?,
            encoding_aes_key: program.encoding_aes_key.clone(),
            followers: None,
        })
    });
    official.chain(programs).collect()
}

/// Returns every account's AppSecret, and the sealer that encrypts its tokens.
fn credentials(config: &Config) -> Vec<(AppId, Credentials)> {
    let keys = encryption_keys(config);
    let official = config.official_accounts.iter().map(|account| (&account.appid, &account.secret));
    let programs = config.mini_programs.iter().map(|program| (&program.appid, &program.secret));
    official
        .chain(programs)
        .map(|(appid, secret)| {
            let sealer = Sealer::new(appid, &keys, secret);
            (appid.clone(), Credentials { secret: secret.clone(), sealer })
        })
        .collect()
}

fn encryption_keys(config: &Config) -> Vec<SecretSlice<u8>> {
    config.security.encryption_keys.iter().filter_map(decoded).collect()
}

/// Decodes a key. `None` cannot happen: the configuration was checked.
fn decoded(key: &secrecy::SecretString) -> Option<SecretSlice<u8>> {
    BASE64.decode(key.expose_secret()).ok().map(SecretSlice::from)
}
