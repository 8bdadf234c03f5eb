//! The one way to send: a request becomes bytes, bytes become an answer.
//!
//! reqwest's errors print the whole URL, and with it the token: here they lose it, on every path.

use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::de::DeserializeOwned;

use super::client::Link;
use super::decode::{Decoded, decode};
use super::request::Request;
use super::{AccessToken, Error, TransportError, Upstream};

/// The longest answer that is read. A full page of openids has 350 KB.
const LONGEST_ANSWER: usize = 8 * 1024 * 1024;

/// Sends the request once and reads its answer.
pub(super) async fn ask<T: DeserializeOwned>(
    link: &Link,
    request: &Request<'_>,
    token: Option<&AccessToken>,
) -> Result<T, Error> {
    let response = start(link, request, token).await?;
    understand(response, request, token).await
}

/// What an answer says.
pub(super) async fn understand<T: DeserializeOwned>(
    response: Response,
    request: &Request<'_>,
    token: Option<&AccessToken>,
) -> Result<T, Error> {
    let call = request.call.name();
    let status = response.status();
    if !status.is_success() {
        return Err(Error::Status { call, status: status.as_u16() });
    }
    let body = read(response).await.map_err(|error| transport(call, error))?;
    let body =
        body.ok_or(Error::Transport { call, fault: TransportError::TooLong, source: None })?;
    match decode(&body) {
        Ok(Decoded::Answer(answer)) => Ok(answer),
        Ok(Decoded::Refusal { errcode, errmsg }) => {
            let redacted = request.redacted().chain(token.map(AccessToken::expose));
            let upstream = Upstream::new(errcode, &errmsg, redacted);
            Err(Error::Refused { call, class: (request.call.class_of)(errcode), upstream })
        }
        Err(problem) => Err(Error::Undecodable { call, problem }),
    }
}

/// Sends the request once; its answer is still to be read.
#[expect(
    clippy::disallowed_methods,
    reason = "the one home of sending: errors lose their URL here"
)]
pub(super) async fn start(
    link: &Link,
    request: &Request<'_>,
    token: Option<&AccessToken>,
) -> Result<Response, Error> {
    let url = format!("{}{}", link.base_url, request.call.path);
    let builder = match &request.body {
        // A body of known length goes out with Content-Length; WeChat answers chunks with 412.
        Some(body) => link
            .http
            .post(url)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body.clone()),
        None => link.http.get(url),
    };
    let token = token.map(|token| ("access_token", token.expose()));
    let query: Vec<_> = token.into_iter().chain(request.query.iter().copied()).collect();
    let builder = if query.is_empty() { builder } else { builder.query(&query) };
    let sent = builder.send().await.map_err(reqwest::Error::without_url);
    sent.map_err(|error| transport(request.call.name(), error))
}

/// The body; `None` where it is longer than [`LONGEST_ANSWER`].
async fn read(mut response: Response) -> reqwest::Result<Option<Vec<u8>>> {
    let announced = response.content_length().unwrap_or(0).min(LONGEST_ANSWER as u64);
    let mut body = Vec::with_capacity(announced as usize);
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn transport(call: &'static str, error: reqwest::Error) -> Error {
    Error::Transport { call, fault: TransportError::of(&error), source: Some(error) }
}
