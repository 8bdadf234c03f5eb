//! The HTTP API in process, on its own port, and a small JSON client.
//!
//! ```text
//! let service = Service::start(&app).await;
//! let key = service.key(&[Scope::Resolve]).await;             // all accounts, no limit
//! let answer = service.get("/v1/stats").key(&key).send().await;
//! assert_eq!((answer.status, answer.code()), (404, "user_unknown"));
//! let answer = service.post("/v1/login", json!({ "code": "x" })).key(&key).send().await;
//! answer.json()["openid"]
//! ```

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Method, RequestBuilder};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use unionid_bridge::app::App;
use unionid_bridge::http;
use unionid_bridge::keys::NewKey;
use unionid_bridge::model::Scope;
use unionid_bridge::telemetry::Metrics;

use super::{TestApp, TestDatabase};

/// The HTTP API of a [`TestApp`], served until stopped or dropped.
pub struct Service {
    pub address: SocketAddr,
    pub app: Arc<App>,
    client: Client,
    stop: CancellationToken,
    task: JoinHandle<()>,
    /// Keeps the database file until the last connection to it is opened.
    database: Option<TestDatabase>,
}

/// A request builder. Finish it with [`send`](Self::send).
pub struct Call(RequestBuilder);

/// A response.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Service {
    pub async fn start(app: &TestApp) -> Self {
        let mut service = Self::with_grace(app.app.clone(), Duration::ZERO).await;
        service.database = Some(app.database.clone());
        service
    }

    /// Starts with a shutdown grace period, during which new connections are still accepted.
    pub async fn with_grace(app: Arc<App>, grace: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let serving = http::serve(app.clone(), listener, recorder(), grace, stop.clone());
        // The API is not ready before the keys were loaded once. Load them here to avoid a race.
        app.keys.load().await.unwrap();
        let task = tokio::spawn(serving);
        Self { address, app, client: client(), stop, task, database: None }
    }

    /// Requests shutdown without waiting for it.
    pub fn request_stop(&self) {
        self.stop.cancel();
    }

    /// Requests shutdown and waits for it.
    pub async fn stop(mut self) {
        self.stop.cancel();
        (&mut self.task).await.unwrap();
    }

    /// Creates a key with these scopes, for all accounts and without a rate limit.
    pub async fn key(&self, scopes: &[Scope]) -> String {
        self.key_of(NewKey { scopes: scopes.to_vec(), ..NewKey::default() }).await
    }

    /// Creates a key. An empty name becomes `test`.
    pub async fn key_of(&self, new: NewKey) -> String {
        let name = if new.name.is_empty() { "test".to_owned() } else { new.name.clone() };
        let issued = self.app.keys.create(NewKey { name, ..new }, "test").await.unwrap();
        issued.text.expose_secret().to_owned()
    }

    pub fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    pub fn delete(&self, path: &str) -> Call {
        self.call("DELETE", path)
    }

    /// With a JSON body.
    pub fn post(&self, path: &str, body: impl Into<Value>) -> Call {
        self.call("POST", path).json(body)
    }

    /// A request with any method, without a body. The path may have a query string.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::at(&self.client, self.address, method, path)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}

impl Call {
    /// A request with any method, without a body, to this address.
    pub(super) fn at(client: &Client, address: SocketAddr, method: &str, path: &str) -> Self {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Self(client.request(method, format!("http://{address}{path}")))
    }

    /// With a JSON body.
    pub fn json(self, body: impl Into<Value>) -> Self {
        Self(self.0.json(&body.into()))
    }

    /// With an API key.
    pub fn key(self, key: &str) -> Self {
        Self(self.0.bearer_auth(key))
    }

    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    /// With a raw body.
    pub fn body(self, body: impl Into<reqwest::Body>) -> Self {
        Self(self.0.body(body))
    }

    pub async fn send(self) -> Answer {
        self.try_send().await.unwrap()
    }

    /// Like [`Self::send`], for services that may die before they answer.
    #[expect(
        clippy::disallowed_methods,
        reason = "the client of the test, which sends no WeChat secret"
    )]
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let response = self.0.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, text: response.text().await? })
    }
}

impl Answer {
    /// The body, which must be JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns the problem code, or an empty string if the answer is not a problem. Checks that problems are
    /// complete.
    pub fn code(&self) -> String {
        if self.header("content-type") != "application/problem+json" {
            assert!(self.status < 400, "an error without problem details: {self:?}");
            return String::new();
        }
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:?}");
        assert_eq!(problem["request_id"], self.header("x-request-id"), "{self:?}");
        assert!(problem["detail"].is_string() && problem["title"].is_string(), "{self:?}");
        problem["code"].as_str().unwrap().to_owned()
    }

    /// Returns a header, or an empty string if it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A request with any method, without a body, to any server at this address.
pub fn call_at(address: SocketAddr, method: &str, path: &str) -> Call {
    Call::at(&client(), address, method, path)
}

pub(super) fn client() -> Client {
    builder().timeout(Duration::from_secs(30)).build().unwrap()
}

/// A client that opens a new connection for each request.
pub(super) fn unpooled_client(timeout: Duration) -> Client {
    builder().timeout(timeout).pool_max_idle_per_host(0).build().unwrap()
}

fn builder() -> ClientBuilder {
    // Tests do not use TLS, but the client cannot be built without a crypto provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy()
}

/// The metrics recorder. A process can install only one, so all tests share it.
fn recorder() -> Metrics {
    static RECORDER: OnceLock<Metrics> = OnceLock::new();
    RECORDER.get_or_init(|| Metrics::install().unwrap()).clone()
}
