//! The service with sent messages that wait for receipts, and a handler that only answers.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use sea_orm::ConnectionTrait;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use unionid_bridge::app::App;
use unionid_bridge::config::{self, Sources};
use unionid_bridge::http;
use unionid_bridge::sandbox::{Callback, Event, Options, Sandbox};
use unionid_bridge::store::{AccountId, accounts, receipts};
use unionid_bridge::telemetry::Metrics;

use crate::base::Base;

/// The number of recipients.
const PEOPLE: i64 = 100_000;

/// The number of messages written by one statement.
const BATCH_SIZE: usize = 500;

/// The stored attempt that WeChat accepted.
const ATTEMPTS: &str = r#"[{"at":"2026-11-22T02:00:00Z","outcome":"accepted"}]"#;

/// The API and the inbox's background work, on a database and a sandbox.
pub struct Service {
    pub address: SocketAddr,
    app: std::sync::Arc<App>,
    world: Sandbox,
    account: AccountId,
    msgid: AtomicI64,
}

impl Service {
    pub async fn on(base: &Base) -> Self {
        let url = "http://127.0.0.1:9/v1/callbacks/{appid}";
        let options = Options::with_followers(PEOPLE.unsigned_abs());
        let options = options.callbacks(|appid, _| Some(Callback::made(url, 1, appid)));
        let world = Sandbox::start(options).await.unwrap();
        let text = world.config_toml() + &base.config_toml();
        let config = config::load(&Sources::defaults().with_text("bench.toml", &text)).unwrap();
        let app = std::sync::Arc::new(App::open(config.config).await.unwrap());
        let appid = world.main().appid().parse().unwrap();
        let account = accounts::find_or_insert(&app.store, &appid).await.unwrap();
        let address = serve(app.clone()).await;
        Self { address, app, world, account, msgid: AtomicI64::new(1) }
    }

    /// Writes `count` more messages with the same steps as sending: accepted, claimed, and sent. Returns the
    /// pushes of their receipts.
    pub async fn sent(&self, count: u64) -> &'static [Vec<u8>] {
        let msgids = self.msgids(count);
        for chunk in msgids.chunks(BATCH_SIZE) {
            let rows: Vec<_> = chunk.iter().map(|msgid| self.row(*msgid)).collect();
            let insert = "INSERT INTO message (id, account_id, channel, state, openid, template_id, \
                          content, due_at, accepted_at) VALUES ";
            self.execute(&format!("{insert}{}", rows.join(","))).await;
            let ids: Vec<_> = chunk.iter().map(|msgid| format!("'{}'", id(*msgid))).collect();
            let ids = ids.join(",");
            self.execute(&format!(
                "UPDATE message SET attempt = 1, due_at = 2, sending_at = 1, first_sent_at = 1 \
                 WHERE id IN ({ids})"
            ))
            .await;
            for msgid in chunk {
                self.execute(&format!(
                    "UPDATE message SET state = 'sent', due_at = NULL, sending_at = NULL, \
                     sent_at = 1, attempts = '{ATTEMPTS}', msgid = {msgid} WHERE id = '{}'",
                    id(*msgid)
                ))
                .await;
            }
        }
        let analyze = match self.app.store.backend_name() {
            "mysql" => "ANALYZE TABLE message",
            _ => "ANALYZE message",
        };
        self.execute(analyze).await;
        self.pushes(&msgids)
    }

    /// Returns pushes of receipts for messages of other systems.
    pub fn unknown(&self, count: u64) -> &'static [Vec<u8>] {
        self.pushes(&self.msgids(count))
    }

    fn msgids(&self, count: u64) -> Vec<i64> {
        let first = self.msgid.fetch_add(count.cast_signed(), Ordering::Relaxed);
        (first..first + count.cast_signed()).collect()
    }

    fn row(&self, msgid: i64) -> String {
        let openid = self.world.main().person((msgid % PEOPLE).unsigned_abs()).openid;
        let id = id(msgid);
        let account = self.account;
        format!(
            "('{id}', {account}, 'template', 'queued', '{openid}', 'template-1', \
             '{{\"data\":{{\"thing1\":{{\"value\":\"An order of two books\"}}}}}}', 1, 1)"
        )
    }

    fn pushes(&self, msgids: &[i64]) -> &'static [Vec<u8>] {
        let main = self.world.main();
        let push = |msgid: &i64| {
            let person = (msgid % PEOPLE).unsigned_abs();
            let envelope = main.envelope(Event::template_sent(person, *msgid, "success")).unwrap();
            let mut request = format!(
                "POST /v1/callbacks/{}?{} HTTP/1.1\r\nHost: bench\r\nContent-Type: text/xml\r\n\
                 Content-Length: {}\r\n\r\n",
                main.appid(),
                envelope.query,
                envelope.body.len()
            )
            .into_bytes();
            request.extend(envelope.body);
            request
        };
        Vec::leak(msgids.iter().map(push).collect())
    }

    /// Returns the rows per second of bare bulk updates by id.
    pub async fn bulk_update(&self, count: u64) -> f64 {
        self.sent(count).await;
        let last = self.msgid.load(Ordering::Relaxed);
        let ids = (last - count.cast_signed()..last).map(|msgid| id(msgid).parse().unwrap());
        let (ids, began): (Vec<_>, _) = (ids.collect(), Instant::now());
        for chunk in ids.chunks(BATCH_SIZE) {
            let writer = self.app.store.writer();
            receipts::end(writer, chunk, receipts::SUCCESS, 1).await.unwrap();
        }
        let spent = began.elapsed();
        self.assert_none_lost(count).await;
        count as f64 / spent.as_secs_f64()
    }

    /// Asserts that every message is delivered and no receipt is kept. Clears the table.
    pub async fn assert_none_lost(&self, count: u64) {
        let delivered = self.count("message WHERE state = 'delivered'").await;
        assert_eq!((delivered, self.count("receipt").await), (count, 0));
        self.clear("message").await;
    }

    /// Asserts that every receipt is kept. Clears the table.
    pub async fn assert_all_kept(&self, count: u64) {
        assert_eq!(self.count("receipt").await, count);
        self.clear("receipt").await;
    }

    async fn clear(&self, table: &str) {
        let clear = match self.app.store.backend_name() {
            "sqlite" => "DELETE FROM",
            _ => "TRUNCATE TABLE",
        };
        self.execute(&format!("{clear} {table}")).await;
    }

    async fn count(&self, of: &str) -> u64 {
        let store = &self.app.store;
        let backend = store.reader().get_database_backend();
        let text = format!("SELECT COUNT(*) FROM {of}");
        let statement = sea_orm::Statement::from_string(backend, text);
        let row = store.reader().query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index::<i64>(0).unwrap().unsigned_abs()
    }

    async fn execute(&self, statement: &str) {
        self.app.store.writer().execute_unprepared(statement).await.unwrap();
    }
}

/// Returns our message id for a `msgid` of WeChat.
fn id(msgid: i64) -> String {
    format!("019a0000000070008000{msgid:012x}")
}

async fn serve(app: std::sync::Arc<App>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    app.keys.load().await.unwrap();
    // A process can install only one recorder.
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    let metrics =
        std::thread::spawn(|| METRICS.get_or_init(|| Metrics::install().unwrap()).clone());
    let metrics = metrics.join().unwrap();
    let never = CancellationToken::new();
    tokio::spawn(app.inbox.clone().work(never.clone()));
    tokio::spawn(http::serve(app, listener, metrics, Duration::ZERO, never));
    address
}

/// A handler that reads the body and answers, without signature check, decryption or database.
pub struct Bare {
    pub address: SocketAddr,
}

impl Bare {
    pub async fn start() -> Self {
        let handler = post(|body: Bytes| async move {
            assert!(!body.is_empty());
            "success"
        });
        let router = Router::new().route("/v1/callbacks/{appid}", handler);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Self { address }
    }
}
