//! The client itself: one per process, with its connections and its patience.

use std::sync::Arc;
use std::time::Duration;

use reqwest::ClientBuilder;
use reqwest::redirect::Policy;
use secrecy::SecretString;

use super::attempts::Shared;
use super::counts::Counts;
use super::options::check_base_url;
use super::{
    Account, BuildError, ConcurrencyLimit, Error, GrantedToken, Options, RetryPolicy, TokenSource,
    tls, token,
};
use crate::clock::Clock;
use crate::model::AppId;

/// WeChat's server API; clones share their connections.
#[derive(Debug, Clone)]
pub struct Client(Arc<Link>);

/// The way to WeChat's server.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) http: reqwest::Client,
    /// Without a slash at its end.
    pub(super) base_url: String,
    pub(super) retry: RetryPolicy,
    pub(super) clock: Clock,
}

impl Client {
    /// A client with these options; opens no connection yet.
    pub fn new(options: Options) -> Result<Self, BuildError> {
        let base_url = check_base_url(&options.base_url)?;
        let (tls, builder) = match base_url.scheme() {
            "https" => (tls::config(options.ca_file_pem.as_deref())?, reqwest::Client::builder()),
            // A proxy has no business with a server on this machine.
            _ => (tls::none()?, reqwest::Client::builder().no_proxy()),
        };
        let http = with_settings(builder.tls_backend_preconfigured(tls), &options)
            .build()
            .map_err(|error| BuildError::Http(error.without_url()))?;
        Ok(Self(Arc::new(Link {
            http,
            base_url: base_url.as_str().trim_end_matches('/').to_owned(),
            retry: options.retry,
            clock: options.clock,
        })))
    }

    /// Asks WeChat for an access token: the one everybody gets, or with `force_refresh` a new one,
    /// which ends the old one at once and which WeChat gives twenty times a day.
    pub async fn stable_token(
        &self,
        appid: &AppId,
        secret: &SecretString,
        force_refresh: bool,
    ) -> Result<GrantedToken, Error> {
        token::stable_token(&self.0, appid, secret, force_refresh).await
    }

    pub(super) fn link(&self) -> &Link {
        &self.0
    }

    /// One account's calls, counted from 0.
    pub fn account(
        &self,
        appid: AppId,
        tokens: Arc<dyn TokenSource>,
        concurrency: ConcurrencyLimit,
    ) -> Account {
        let shared = Shared { concurrency, counts: Counts::default() };
        Account::new(Arc::clone(&self.0), appid, tokens, shared)
    }
}

/// HTTP/1.1 alone: with HTTP/2 one broken connection is a broken call for everybody in flight, and
/// the library repeats calls by itself. How often something is sent is decided in `attempts.rs`.
fn with_settings(builder: ClientBuilder, options: &Options) -> ClientBuilder {
    builder
        .user_agent(&options.user_agent)
        .timeout(options.timeout)
        .connect_timeout(options.timeout / 2)
        .redirect(Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .http1_only()
        .gzip(true)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        .pool_max_idle_per_host(64)
        .pool_idle_timeout(Duration::from_secs(30))
}
