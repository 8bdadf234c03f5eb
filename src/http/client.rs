//! A client of this very API, for the demo: one request a connection, JSON both ways.

use std::net::SocketAddr;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{Method, Request};
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
        let answer = self.exchange(method, path, body).await;
        let bytes = answer.map_err(|error| ClientError::Unreachable(self.address, error))?;
        serde_json::from_slice(&bytes).map_err(ClientError::Unreadable)
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
        let stream = TokioIo::new(TcpStream::connect(self.address).await?);
        let (mut sender, connection) = http1::handshake(stream).await?;
        let connection = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, format!("Bearer {}", self.key.expose_secret()))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let answer = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
        connection.abort();
        Ok(answer)
    }
}
