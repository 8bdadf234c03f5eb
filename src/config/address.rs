//! Validation of URLs and listen addresses, and the redaction of database URLs.

use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

use super::mistake::Fault;
use super::settings::redact;

pub(super) fn database_url(text: &str) -> Result<(), Fault> {
    let schemes = "sqlite://…, postgres://… or mysql://…";
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    match scheme {
        "sqlite" => Ok(()),
        "postgres" | "postgresql" | "mysql" => match Url::parse(text) {
            Ok(url) if url.has_host() && !url.path().contains('@') => Ok(()),
            _ => Err(Fault::new("is not a valid URL")
                .hint("percent-encode special characters in the password: @ is %40, # is %23")),
        },
        "mariadb" => Err(Fault::new("unknown scheme `mariadb`").hint("did you mean `mysql`?")),
        _ => Err(Fault::new("has an unknown scheme").hint(format!("use {schemes}"))),
    }
}

pub(super) fn base_url(text: &str) -> Result<Url, Fault> {
    let example = "for example https://api.weixin.qq.com";
    let fault = |problem: String| Fault::new(problem).hint(example);
    let mut url =
        Url::parse(text.trim()).map_err(|error| fault(format!("is not a valid URL: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(fault("must not contain a user or a password".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(fault("must not contain ? or #".to_owned()));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            let problem = "must be https: http would send AppSecrets unencrypted".to_owned();
            return Err(fault(problem));
        }
        _ => return Err(fault("must start with https://".to_owned())),
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

pub(super) fn listen(text: &str) -> Result<SocketAddr, Fault> {
    text.trim().parse().map_err(|_| {
        Fault::new(format!("{text:?} is not an IP address with a port"))
            .hint("for example 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080")
    })
}

/// Returns a database URL with password and query redacted. If the password cannot be located with
/// certainty, the whole URL is redacted.
pub(super) fn redact_url(text: &str) -> String {
    if text.starts_with("sqlite:") {
        return text.to_owned();
    }
    match Url::parse(text) {
        Ok(mut url) if url.has_host() && !url.path().contains('@') => {
            let hidden = url.password().is_none() || url.set_password(Some("***")).is_ok();
            if url.query().is_some() {
                url.set_query(Some("***"));
            }
            url.set_fragment(None);
            if hidden { url.to_string() } else { redact(text) }
        }
        _ => redact(text),
    }
}
