//! A client of this API, for the demo and for health checks. Sends one request per connection.

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

/// Why a request got no usable response.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing listens at the address, or the connection broke.
    #[error("the API at {0} does not answer")]
    Unreachable(SocketAddr, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// The response body is not JSON.
    #[error("the response of the API is not JSON")]
    Unreadable(#[source] serde_json::Error),
}

/// Sends requests with one API key.
pub struct Client {
    address: SocketAddr,
    key: SecretString,
}

impl Client {
    /// Creates a client of the API at `address`.
    pub fn new(address: SocketAddr, key: SecretString) -> Self {
        Self { address, key }
    }

    /// The address of the API.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a GET request and returns the response body, whatever the status.
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// Sends a POST request and returns the response body, whatever the status.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.send(Method::POST, path, body.to_string().into()).await
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Value, ClientError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, format!("Bearer {}", self.key.expose_secret()))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body));
        Ok(exchange(self.address, request).await?.1)
    }
}

/// The health of a process, as it reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether the process is healthy.
    pub is_healthy: bool,
    /// The status, or the reason why the process is not healthy.
    pub message: String,
}

/// Calls a health route, which needs no key.
pub async fn health(address: SocketAddr, path: &str) -> Result<Health, ClientError> {
    let request = Request::builder().uri(path).body(Full::default());
    let (status, body) = exchange(address, request).await?;
    // Errors have a detail.
    let message = body["detail"].as_str().or(body["status"].as_str()).unwrap_or("no status");
    Ok(Health { is_healthy: status == StatusCode::OK, message: message.to_owned() })
}

async fn exchange(
    address: SocketAddr,
    request: Result<Request<Full<Bytes>>, axum::http::Error>,
) -> Result<(StatusCode, Value), ClientError> {
    let response = send(address, request).await;
    let (status, bytes) = response.map_err(|error| ClientError::Unreachable(address, error))?;
    Ok((status, serde_json::from_slice(&bytes).map_err(ClientError::Unreadable)?))
}

async fn send(
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
