//! Requests to a callback: plain HTTP, a new connection for each request, no redirects.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::InvalidCallback;
use super::envelope::Envelope;

/// The maximum size of a response body. Meaningful responses are much smaller.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// The response of a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Why a push did not reach its callback, or got no response.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// The account has no callback.
    #[error("the account {0} has no callback")]
    NoCallback(String),
    /// The callback has no URL.
    #[error("the callback of the account {0} has no URL")]
    NoUrl(String),
    /// Later pushes displaced this one from the history.
    #[error("the push is no longer in the sandbox's history")]
    Forgotten,
    /// The callback is invalid.
    #[error(transparent)]
    Callback(#[from] InvalidCallback),
    /// There was no response within the timeout.
    #[error("no response within {0:?}")]
    Late(Duration),
    /// The connection could not be opened.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// The request could not be sent, or the response was not valid HTTP.
    #[error("the HTTP exchange failed: {0}")]
    Exchange(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Undelivered {
    Undelivered::Exchange(error.into())
}

/// Sends the `GET` of a URL check.
pub(super) async fn get(url: &str, query: &str, timeout: Duration) -> Result<Answer, Undelivered> {
    let request = Request::get(target(url, query));
    with_timeout(timeout, url, request.body(Full::default()).map_err(failed)?).await
}

/// Sends the `POST` of a push.
pub(super) async fn post(
    url: &str,
    envelope: &Envelope,
    timeout: Duration,
) -> Result<Answer, Undelivered> {
    let request = Request::post(target(url, &envelope.query))
        .header(CONTENT_TYPE, &envelope.content_type)
        .body(Full::new(Bytes::from(envelope.body.clone())))
        .map_err(failed)?;
    with_timeout(timeout, url, request).await
}

/// Returns the path and query for the request line.
fn target(url: &str, query: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find(['/', '?']).map_or("/", |start| &rest[start..]);
    let path = path.split('#').next().unwrap_or_default();
    let slash = if path.starts_with('/') { "" } else { "/" };
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{slash}{path}{separator}{query}")
}

async fn with_timeout(
    timeout: Duration,
    url: &str,
    request: Request<Full<Bytes>>,
) -> Result<Answer, Undelivered> {
    let exchange = tokio::time::timeout(timeout, exchange(url, request));
    exchange.await.unwrap_or(Err(Undelivered::Late(timeout)))
}

async fn exchange(url: &str, mut request: Request<Full<Bytes>>) -> Result<Answer, Undelivered> {
    let uri: Uri = url.parse().map_err(|_| InvalidCallback::Url(url.to_owned()))?;
    let (host, port) = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(80));
    let address = format!("{host}:{port}");
    let stream = TcpStream::connect(&address).await.map_err(Undelivered::Connect)?;
    // Otherwise small requests wait for the receiver's acknowledgement.
    _ = stream.set_nodelay(true);
    request.headers_mut().insert(HOST, address.parse().map_err(failed)?);
    request.headers_mut().insert(USER_AGENT, "Mozilla/4.0".parse().map_err(failed)?);
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(failed)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(failed)?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect();
        let body = body.await.map_err(failed)?.to_bytes().to_vec();
        Ok(Answer { status, body })
    };
    // The connection must be polled. Its errors also fail the response, so they are ignored here.
    let drive = async {
        _ = connection.await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        answer = answer => answer,
        never = drive => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_appended_to_the_query_of_the_url() {
        for (url, expected) in [
            ("http://127.0.0.1:1", "/?a=b"),
            ("http://127.0.0.1:1/v1/x", "/v1/x?a=b"),
            ("http://127.0.0.1:1/v1/x?y=z#part", "/v1/x?y=z&a=b"),
            ("http://127.0.0.1:1?y=z", "/?y=z&a=b"),
        ] {
            assert_eq!(target(url, "a=b"), expected, "{url}");
        }
    }
}
