//! Whether WeChat's server can be reached at all, for whoever looks for what is wrong.
//!
//! Asks for no account and takes nothing from any quota: a call without a token is answered by every
//! WeChat, with a refusal, and by nobody else in that way.

use std::io;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use reqwest::header::DATE;
use reqwest::{Response, Url};
use serde::de::IgnoredAny;

use super::request::{Call, Request};
use super::{Client, Error, send};

/// A call that whoever syncs followers has to be let through to.
const LIST: Call = Call::with_token("/cgi-bin/user/get");

/// What became of the probe.
#[derive(Debug)]
pub struct Probe {
    /// Whether WeChat's API answered.
    pub answer: Result<(), Error>,
    /// What the server's clock said, to the second, where anything answered.
    pub server_time: Option<DateTime<Utc>>,
}

/// A server's name, and where it leads.
#[derive(Debug)]
pub struct Resolved {
    /// The name.
    pub name: String,
    /// Its addresses.
    pub addresses: io::Result<Vec<IpAddr>>,
}

impl Client {
    /// Asks once for what WeChat refuses to everybody.
    pub async fn probe(&self) -> Probe {
        let request = Request::get(LIST);
        let response = match send::start(self.link(), &request, None).await {
            Ok(response) => response,
            Err(error) => return Probe { answer: Err(error), server_time: None },
        };
        let server_time = server_time(&response);
        let answer = send::understand::<IgnoredAny>(response, &request, None).await;
        let answer = match answer {
            Ok(_) | Err(Error::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        };
        Probe { answer, server_time }
    }

    /// Looks the server's name up on this machine; `None` where it is an address already. A proxy, where
    /// there is one, looks it up for itself.
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
