//! Checks whether WeChat's server is reachable, for diagnosis.
//!
//! Needs no account and uses no quota: WeChat refuses a call without a token, and no other server answers
//! with such a refusal.

use std::io;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use reqwest::header::DATE;
use reqwest::{Response, Url};
use serde::de::IgnoredAny;

use super::transport::request::{Call, Request};
use super::{Client, Error, transport::send};

/// A call that the follower sync needs, so proxies must let it through.
const LIST: Call = Call::with_token("/cgi-bin/user/get");

/// The result of a probe.
#[derive(Debug)]
pub struct Probe {
    /// Whether WeChat's API answered.
    pub answer: Result<(), Error>,
    /// The server's time from the `Date` header, to the second, if any server answered.
    pub server_time: Option<DateTime<Utc>>,
}

/// A server's host name and its IP addresses.
#[derive(Debug)]
pub struct Resolved {
    /// The host name.
    pub name: String,
    /// Its addresses.
    pub addresses: io::Result<Vec<IpAddr>>,
}

impl Client {
    /// Sends one call without a token, which WeChat refuses.
    pub async fn probe(&self) -> Probe {
        let request = Request::get(LIST);
        let response = match send::send_request(self.link(), &request, None).await {
            Ok(response) => response,
            Err(error) => return Probe { answer: Err(error), server_time: None },
        };
        let server_time = server_time(&response);
        let answer = send::read_answer::<IgnoredAny>(response, &request, None).await;
        let answer = match answer {
            Ok(_) | Err(Error::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        };
        Probe { answer, server_time }
    }

    /// Resolves the server's host name on this machine; `None` if it is already an IP address. A proxy, if
    /// configured, resolves the name itself.
    pub async fn resolve(&self) -> Option<Resolved> {
        let url = Url::parse(&self.link().base_url).ok()?;
        let name = url.domain()?.to_owned();
        let port = url.port_or_known_default()?;
        let found = tokio::net::lookup_host((name.as_str(), port)).await;
        let addresses = found.map(|found| found.map(|address| address.ip()).collect());
        Some(Resolved { name, addresses })
    }
}

fn server_time(response: &Response) -> Option<DateTime<Utc>> {
    let date = response.headers().get(DATE)?.to_str().ok()?;
    Some(DateTime::parse_from_rfc2822(date).ok()?.to_utc())
}
