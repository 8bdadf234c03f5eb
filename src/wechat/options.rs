//! The options of the client, and their validation.

use std::time::Duration;

use reqwest::Url;

use super::RetryPolicy;
use crate::clock::Clock;

/// How to reach WeChat.
#[derive(Debug, Clone)]
pub struct Options {
    /// Scheme, host and, optionally, port and path of WeChat's server or of a company's gateway to it.
    pub base_url: String,
    /// The timeout of one attempt, from DNS resolution to the last byte of the answer.
    pub timeout: Duration,
    /// PEM certificates to trust in addition to the system roots, for a company's gateway.
    pub ca_file_pem: Option<Vec<u8>>,
    /// The value of the `User-Agent` header.
    pub user_agent: String,
    /// How to retry failed calls.
    pub retry: RetryPolicy,
    /// The clock that determines when WeChat's next minute begins.
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

/// Why the client cannot be built from these options.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// `base_url` is not the URL of a server.
    #[error("wechat.base_url must be an http or https URL without query or password")]
    BaseUrl,
    /// `base_url` would send secrets unencrypted.
    #[error("wechat.base_url must start with https, except for a server on this machine")]
    PlainHttp,
    /// `ca_file_pem` contains no valid certificate.
    #[error("wechat.ca_file does not contain a valid certificate in PEM format")]
    Root,
    /// TLS setup failed.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
    /// The setup of the HTTP client failed.
    #[error("cannot set up the HTTP client")]
    Http(#[source] reqwest::Error),
}

impl BuildError {
    /// What an operator can do about this error, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::BaseUrl => Some("WeChat's own URL is https://api.weixin.qq.com"),
            Self::PlainHttp => Some(
                "requests contain the AppSecret and access tokens: use https, or http with localhost, \
                 127.0.0.1 or [::1] for a sandbox",
            ),
            Self::Root => Some("set a file that contains -----BEGIN CERTIFICATE-----"),
            Self::Tls(_) | Self::Http(_) => None,
        }
    }
}

/// Parses the URL and checks that it is safe to send secrets to it.
pub(super) fn check_base_url(base_url: &str) -> Result<Url, BuildError> {
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
    use super::super::Client;
    use super::*;

    #[test]
    fn plain_http_is_allowed_only_for_loopback() {
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
    fn an_invalid_base_url_is_rejected() {
        for base_url in
            ["", "api.weixin.qq.com", "ftp://a", "https://u:p@a", "https://a/?b", "https://a#c"]
        {
            let error = check_base_url(base_url).unwrap_err();
            assert!(matches!(error, BuildError::BaseUrl), "{base_url}");
        }
    }

    #[test]
    fn an_invalid_extra_root_certificate_is_rejected() {
        for pem in ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "secret"] {
            let options = Options { ca_file_pem: Some(pem.into()), ..Options::default() };
            assert!(matches!(Client::new(options), Err(BuildError::Root)), "{pem}");
        }
    }
}
