//! A client of this very API, for the demo and for health checks: one request a connection, JSON both
//! ways.

use std::net::SocketAddr;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::net::TcpStream;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there, or the connection broke.
    #[error("the API at {0} does not answer")]
    Unreachable(SocketAddr, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// Its answer is no JSON.
    #[error("the API's answer cannot be read")]
    Unreadable(#[source] serde_json::Error),
}

/// Asks with one API key.
pub struct Client {
    address: SocketAddr,
    key: SecretString,
}

impl Client {
    /// A client of the API at `address`.
    pub fn new(address: SocketAddr, key: SecretString) -> Self {
        Self { address, key }
    }

    /// Where the API is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The body of the answer, whatever its status.
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// The body of the answer, whatever its status.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.ask(Method::POST, path, body.to_string().into()).await
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Value, ClientError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, format!("Bearer {}", self.key.expose_secret()))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body));
        Ok(exchange(self.address, request).await?.1)
    }
}

/// What a process says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether it is well.
    pub is_well: bool,
    /// In its own words.
    pub said: String,
}

/// Asks a health route, which wants no key.
pub async fn health(address: SocketAddr, path: &str) -> Result<Health, ClientError> {
    let request = Request::builder().uri(path).body(Full::default());
    let (status, body) = exchange(address, request).await?;
    // A problem has a detail.
    let said = body["detail"].as_str().or(body["status"].as_str()).unwrap_or("nothing");
    Ok(Health { is_well: status == StatusCode::OK, said: said.to_owned() })
}

async fn exchange(
    address: SocketAddr,
    request: Result<Request<Full<Bytes>>, axum::http::Error>,
) -> Result<(StatusCode, Value), ClientError> {
    let answer = answered(address, request).await;
    let (status, bytes) = answer.map_err(|error| ClientError::Unreachable(address, error))?;
    Ok((status, serde_json::from_slice(&bytes).map_err(ClientError::Unreadable)?))
}

async fn answered(
    address: SocketAddr,
    request: Result<Request<Full<Bytes>>, axum::http::Error>,
) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let mut request = request?;
    request.headers_mut().insert(HOST, address.to_string().try_into()?);
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) = http1::handshake(stream).await?;
    let connection = tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let bytes = body.collect().await?.to_bytes();
    connection.abort();
    Ok((parts.status, bytes))
}
