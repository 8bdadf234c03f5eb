//! The client itself: one per process, with its connections and its patience.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Url};
use secrecy::SecretString;

use super::attempts::Lane;
use super::counts::Counts;
use super::{Account, Error, Gate, GrantedToken, RetryPolicy, TokenSource, tls, token};
use crate::clock::Clock;
use crate::model::AppId;

/// How WeChat is reached.
#[derive(Debug, Clone)]
pub struct Options {
    /// Scheme, host and perhaps port and path: WeChat's server, or a company's gateway to it.
    pub base_url: String,
    /// How long one attempt may take, from the name's resolution to the answer's last byte.
    pub timeout: Duration,
    /// Certificates in PEM to trust beside the machine's own, for a company's gateway.
    pub ca_file_pem: Option<Vec<u8>>,
    /// What we call ourselves.
    pub user_agent: String,
    /// How failed calls are repeated.
    pub retry: RetryPolicy,
    /// Tells when WeChat's next minute begins.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            base_url: "https://api.weixin.qq.com".to_owned(),
            timeout: Duration::from_secs(10),
            ca_file_pem: None,
            user_agent: concat!("unionid-bridge/", env!("CARGO_PKG_VERSION")).to_owned(),
            retry: RetryPolicy::default(),
            clock: Clock::default(),
        }
    }
}

/// Why there is no client: the options are wrong.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// `base_url` is no URL of a server.
    #[error("wechat.base_url is not the http or https URL of a server, without query or password")]
    BaseUrl,
    /// `base_url` would send secrets in the clear.
    #[error("wechat.base_url has to begin with https, except on this machine's own addresses")]
    PlainHttp,
    /// The extra root is no certificate.
    #[error("the extra root for WeChat is not a certificate in PEM")]
    Root,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up")]
    Http(#[source] reqwest::Error),
}

impl BuildError {
    /// An operator's next step, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::BaseUrl => Some("WeChat's own is https://api.weixin.qq.com"),
            Self::PlainHttp => Some(
                "AppSecret and access tokens travel in requests: use https, or http with localhost, \
                 127.0.0.1 or [::1] for a sandbox",
            ),
            Self::Root => Some("give a file that holds -----BEGIN CERTIFICATE-----"),
            Self::Tls(_) | Self::Http(_) => None,
        }
    }
}

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

    /// One account's calls, counted from 0.
    pub fn account(&self, appid: AppId, tokens: Arc<dyn TokenSource>, gate: Gate) -> Account {
        let lane = Lane { gate, counts: Counts::default() };
        Account::new(Arc::clone(&self.0), appid, tokens, lane)
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

fn check_base_url(base_url: &str) -> Result<Url, BuildError> {
    let url = Url::parse(base_url.trim()).map_err(|_| BuildError::BaseUrl)?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) if bare => Ok(url),
        ("http", Some(host)) if bare && is_loopback(host) => Ok(url),
        ("http", Some(_)) if bare => Err(BuildError::PlainHttp),
        _ => Err(BuildError::BaseUrl),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = |address: std::net::IpAddr| address.to_canonical().is_loopback();
    host == "localhost" || address.parse().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_leaves_this_machine_never() {
        for base_url in ["http://127.0.0.1:9000", "http://localhost", "http://[::1]:80/x/"] {
            assert!(check_base_url(base_url).is_ok(), "{base_url}");
        }
        for base_url in
            ["http://api.weixin.qq.com", "http://10.0.0.1", "http://localhost.example.com"]
        {
            let error = check_base_url(base_url).unwrap_err();
            assert!(matches!(error, BuildError::PlainHttp), "{base_url}");
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for base_url in
            ["", "api.weixin.qq.com", "ftp://a", "https://u:p@a", "https://a/?b", "https://a#c"]
        {
            let error = check_base_url(base_url).unwrap_err();
            assert!(matches!(error, BuildError::BaseUrl), "{base_url}");
        }
    }

    #[test]
    fn an_extra_root_that_is_none_is_refused() {
        for pem in ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "secret"] {
            let options = Options { ca_file_pem: Some(pem.into()), ..Options::default() };
            assert!(matches!(Client::new(options), Err(BuildError::Root)), "{pem}");
        }
    }
}
