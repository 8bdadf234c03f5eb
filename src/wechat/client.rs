//! The HTTP client: one per process, with its connection pool and its timeouts.

use std::sync::Arc;
use std::time::Duration;

use reqwest::ClientBuilder;
use reqwest::redirect::Policy;
use secrecy::SecretString;

use super::options::check_base_url;
use super::transport::attempts::Shared;
use super::transport::counts::Counts;
use super::{
    Account, BuildError, ConcurrencyLimit, Error, GrantedToken, Options, RetryPolicy, TokenSource,
    token, transport::tls,
};
use crate::clock::Clock;
use crate::model::AppId;

/// A client of WeChat's server API. Clones share the connection pool.
#[derive(Debug, Clone)]
pub struct Client(Arc<Link>);

/// Everything needed to send a request to WeChat's server.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) http: reqwest::Client,
    /// Without a trailing slash.
    pub(super) base_url: String,
    pub(super) retry: RetryPolicy,
    pub(super) clock: Clock,
}

impl Client {
    /// Creates a client. Opens no connection yet.
    pub fn new(options: Options) -> Result<Self, BuildError> {
        let base_url = check_base_url(&options.base_url)?;
        let (tls, builder) = match base_url.scheme() {
            "https" => (tls::config(options.ca_file_pem.as_deref())?, reqwest::Client::builder()),
            // Plain HTTP is only allowed to this machine, where a proxy makes no sense.
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

    /// Fetches an access token from WeChat: the current shared one or, with `force_refresh`, a new one. A
    /// forced refresh invalidates the old token at once, and WeChat allows 20 a day.
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

    /// Returns the calls of one account. Their request counts start at 0.
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

/// Uses HTTP/1.1 only: with HTTP/2, one broken connection breaks all calls in flight, and the library
/// retries calls on its own. Only `attempts.rs` decides how often a request is sent.
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
