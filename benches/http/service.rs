//! The targets of the API benchmarks: the service with a million people, a bare handler, and stalled clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use sea_orm::ConnectionTrait;
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use unionid_bridge::app::App;
use unionid_bridge::config::{self, Sources};
use unionid_bridge::http;
use unionid_bridge::keys::NewKey;
use unionid_bridge::model::{Scope, Trigger};
use unionid_bridge::sandbox::{self, Options, Sandbox};
use unionid_bridge::store::accounts;
use unionid_bridge::sync::{self, Request};
use unionid_bridge::telemetry::Metrics;

use crate::base::Base;
use crate::load::exchange;

/// The HTTP API on a database and a sandbox.
pub struct Service {
    pub address: SocketAddr,
    world: Sandbox,
    key: String,
}

impl Service {
    /// Mirrors everybody in the sandbox and logs in the first `users` once.
    pub async fn with_users(base: &Base, options: Options, users: u64) -> Self {
        let world = Sandbox::start(options).await.unwrap();
        let text = world.config_toml() + &base.config_toml();
        let config = config::load(&Sources::defaults().with_text("bench.toml", &text)).unwrap();
        let app = Arc::new(App::open(config.config).await.unwrap());
        sync(&app).await;
        log_in(&app, &world.mini_program().unwrap(), users).await;
        let scopes = vec![Scope::Resolve, Scope::Login];
        let new = NewKey { name: "bench".to_owned(), scopes, ..NewKey::default() };
        let key = app.keys.create(new, "bench").await.unwrap().text.expose_secret().to_owned();
        let address = serve(app).await;
        Self { address, world, key }
    }

    /// Returns lookups of `count` Mini Program users spread over all people.
    pub async fn resolve_requests(&self, people: u64, count: u64) -> &'static [Vec<u8>] {
        let program = self.world.mini_program().unwrap();
        let request = |number: u64| {
            let openid = program.person(number * (people / count).max(1) % people).openid;
            let path = format!("/v1/resolve-openid?appid={}&openid={openid}", program.appid());
            self.get(&path)
        };
        Vec::leak((0..count).map(request).collect())
    }

    fn get(&self, path: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\r\n", self.key)
            .into_bytes()
    }

    fn post(&self, path: &str, body: &str, length: usize) -> Vec<u8> {
        format!(
            "POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}",
            self.key
        )
        .into_bytes()
    }

    /// Sends a request and returns the body of the answer.
    pub async fn answer_to(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut answer = Vec::new();
        assert_eq!(exchange(&mut stream, request, &mut answer).await, 200);
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        answer.split_off(head)
    }

    /// Returns the duration of each of `count` sequential logins, in ms.
    pub async fn logins(&self, count: u64) -> Vec<f64> {
        let program = self.world.mini_program().unwrap();
        let request = |person| {
            let body = format!("{{\"code\": \"{}\"}}", program.mint_code(person));
            self.post("/v1/login", &body, body.len())
        };
        timed(self.address, (0..count).map(request).collect()).await
    }

    /// Returns the duration of the same exchanges sent directly to WeChat, in ms.
    pub async fn upstream_logins(&self, count: u64) -> Vec<f64> {
        let program = self.world.mini_program().unwrap();
        let request = |person| {
            let (appid, secret) = (program.appid(), program.secret());
            let code = program.mint_code(person);
            format!(
                "GET /sns/jscode2session?appid={appid}&secret={secret}&js_code={code}\
                 &grant_type=authorization_code HTTP/1.1\r\nHost: bench\r\n\r\n"
            )
            .into_bytes()
        };
        timed(self.world.address(), (0..count).map(request).collect()).await
    }

    /// Opens clients that send a part of a head or of a body, and then wait.
    pub async fn stall(&self, heads: u64, bodies: u64) -> Stalled {
        let began = Instant::now();
        let body = self.post("/v1/login", "{", 1_000);
        let beginnings = (0..heads).map(|_| &b"GET /v1/res"[..]);
        let beginnings = beginnings.chain((0..bodies).map(|_| &body[..]));
        let mut clients = Vec::new();
        for beginning in beginnings {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(beginning).await.unwrap();
            clients.push(tokio::spawn(async move {
                let _ = stream.read_to_end(&mut Vec::new()).await;
                began.elapsed()
            }));
        }
        Stalled(clients)
    }
}

/// Clients that wait until the server closes their connection.
pub struct Stalled(Vec<JoinHandle<Duration>>);

impl Stalled {
    /// Returns the number of closed clients, and the time until the last one was closed.
    pub async fn closed(self) -> (usize, Duration) {
        let mut ends = Vec::new();
        for client in self.0 {
            ends.push(client.await.unwrap());
        }
        (ends.len(), ends.into_iter().max().unwrap_or_default())
    }
}

/// A handler that only returns the same bytes.
pub struct Bare {
    pub address: SocketAddr,
}

impl Bare {
    pub async fn answering(body: Vec<u8>) -> Self {
        let body: &'static [u8] = Vec::leak(body);
        let handler = get(async move || ([(CONTENT_TYPE, "application/json")], body));
        let router = Router::new().route("/v1/resolve-openid", handler);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Self { address }
    }
}

async fn serve(app: Arc<App>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    app.keys.load().await.unwrap();
    // A process can install only one recorder.
    let metrics =
        std::thread::spawn(|| METRICS.get_or_init(|| Metrics::install().unwrap()).clone());
    let metrics = metrics.join().unwrap();
    let never = CancellationToken::new();
    tokio::spawn(http::serve(app, listener, metrics, Duration::ZERO, never));
    address
}

static METRICS: std::sync::OnceLock<Metrics> = std::sync::OnceLock::new();

async fn sync(app: &App) {
    let account = &app.config.official_accounts[0];
    let job = app.sync_job(account, CancellationToken::new(), Arc::new(|_, _| {})).await.unwrap();
    let request =
        Request { trigger: Trigger::Manual, scheduled_at: None, full: false, restart: false };
    let outcome = sync::run(&job, request).await.unwrap();
    assert_eq!(outcome.run.state.as_str(), "succeeded", "{outcome:?}");
}

/// Writes the rows that logins would have written.
async fn log_in(app: &App, program: &sandbox::Account, users: u64) {
    let appid = program.appid().parse().unwrap();
    let account = accounts::find_or_insert(&app.store, &appid).await.unwrap();
    for chunk in (0..users).collect::<Vec<_>>().chunks(10_000) {
        let transaction = app.store.begin().await.unwrap();
        for people in chunk.chunks(1_000) {
            let rows: Vec<_> = people
                .iter()
                .map(|number| {
                    let person = program.person(*number);
                    format!("({account}, '{}', '{}', 1, 1)", person.openid, person.unionid.unwrap())
                })
                .collect();
            let insert = "INSERT INTO mini_program_user \
                          (account_id, openid, unionid, created_at, login_at) VALUES ";
            transaction.execute_unprepared(&format!("{insert}{}", rows.join(","))).await.unwrap();
        }
        transaction.commit().await.unwrap();
    }
    // PostgreSQL would do this by itself soon afterwards.
    if app.store.backend_name() == "postgres" {
        app.store.writer().execute_unprepared("ANALYZE").await.unwrap();
    }
}

/// Sends requests sequentially on one connection. Returns the duration of each in ms.
async fn timed(address: SocketAddr, requests: Vec<Vec<u8>>) -> Vec<f64> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut answer, mut times) = (Vec::new(), Vec::new());
    for request in requests {
        let began = Instant::now();
        assert_eq!(exchange(&mut stream, &request, &mut answer).await, 200);
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    times
}
