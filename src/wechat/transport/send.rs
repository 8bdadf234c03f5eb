//! Sends a request and reads its answer. The only place that sends.
//!
//! reqwest's errors print the whole URL, including the token. This module removes the URL on every path.

use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::de::DeserializeOwned;

use crate::wechat::client::Link;
use crate::wechat::decode::{Decoded, decode};
use crate::wechat::transport::request::Request;
use crate::wechat::{AccessToken, Error, TransportError, Upstream};

/// The maximum size of an answer in bytes. A full page of openids has 350 KB.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// Sends the request once and reads its answer.
pub(in crate::wechat) async fn send<T: DeserializeOwned>(
    link: &Link,
    request: &Request<'_>,
    token: Option<&AccessToken>,
) -> Result<T, Error> {
    let response = send_request(link, request, token).await?;
    read_answer(response, request, token).await
}

/// Reads and decodes the answer.
pub(in crate::wechat) async fn read_answer<T: DeserializeOwned>(
    response: Response,
    request: &Request<'_>,
    token: Option<&AccessToken>,
) -> Result<T, Error> {
    let call = request.call.name();
    let status = response.status();
    if !status.is_success() {
        return Err(Error::Status { call, status: status.as_u16() });
    }
    let body = read_body(response).await.map_err(|error| transport(call, error))?;
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

/// Sends the request once. [`read_answer`] reads the answer.
#[expect(
    clippy::disallowed_methods,
    reason = "the only place that sends: removes the URL from errors"
)]
pub(in crate::wechat) async fn send_request(
    link: &Link,
    request: &Request<'_>,
    token: Option<&AccessToken>,
) -> Result<Response, Error> {
    let url = format!("{}{}", link.base_url, request.call.path);
    let builder = match &request.body {
        // A body of known length is sent with Content-Length. WeChat answers chunked bodies with 412.
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

/// Reads the body; `None` if it is longer than [`MAX_ANSWER_BYTES`].
async fn read_body(mut response: Response) -> reqwest::Result<Option<Vec<u8>>> {
    let announced = response.content_length().unwrap_or(0).min(MAX_ANSWER_BYTES as u64);
    let mut body = Vec::with_capacity(announced as usize);
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn transport(call: &'static str, error: reqwest::Error) -> Error {
    Error::Transport { call, fault: TransportError::of(&error), source: Some(error) }
}
