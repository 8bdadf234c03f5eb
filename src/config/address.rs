//! The rules for addresses, and what of a database's may be shown.

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
            _ => Err(Fault::new("cannot be read as a URL")
                .hint("percent-encode special characters of the password: @ is %40, # is %23")),
        },
        "mariadb" => Err(Fault::new("unknown database `mariadb`").hint("did you mean `mysql`?")),
        _ => Err(Fault::new("names no database that is known").hint(format!("one of {schemes}"))),
    }
}

pub(super) fn base_url(text: &str) -> Result<Url, Fault> {
    let example = "such as https://api.weixin.qq.com";
    let fault = |problem: String| Fault::new(problem).hint(example);
    let mut url = Url::parse(text.trim()).map_err(|error| fault(format!("is no URL: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(fault("must hold no user and no password".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(fault("must hold no ? and no #".to_owned()));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            let problem = "must be https: AppSecrets would travel in the clear".to_owned();
            return Err(fault(problem));
        }
        _ => return Err(fault("must begin with https://".to_owned())),
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
        Fault::new(format!("{text:?} is no address with a port"))
            .hint("such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080")
    })
}

/// A database URL without its password. What cannot be told apart with certainty is left out.
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
