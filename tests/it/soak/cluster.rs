//! The sandbox, the replicas on one database, and the tasks that use them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use unionid_bridge::clock::Clock;
use unionid_bridge::sandbox::{
    Account, Call, Callback, MINI_PROGRAM, MiniProgram, OFFICIAL_ACCOUNT, OfficialAccount, Options,
    Sandbox,
};
use unionid_bridge::store::Store;

use super::expectations::Ledger;
use super::replica::Replica;
use crate::harness::{Backend, Balancer, Bridge, Proxy, TestDatabase};
use crate::secrets::{ACCOUNT_SECRET, CALLBACK_TOKEN, CANARIES, ENCODING_AES_KEY, PROGRAM_SECRET};
use crate::secrets_serve::url_with_canary;

/// The number of followers who never leave: the people with lower numbers.
pub const PERMANENT_FOLLOWERS: u64 = 2_700;

/// The number of followers at the start. Those after the permanent ones may leave and rejoin.
pub const INITIAL_FOLLOWERS: u64 = 3_000;

const PAGE_SIZE: usize = 200;

const SETTINGS: &str = "
[sync]
schedule = '* * * * * *'
lease_seconds = 3
[log]
filter = 'debug'
";

/// The sandbox, the replicas, and the tasks of one soak test.
pub struct Cluster {
    pub world: Sandbox,
    pub replicas: Vec<Arc<Replica>>,
    pub balancer: Arc<Balancer>,
    /// The test's own connections, which faults do not affect.
    pub store: Store,
    _database: TestDatabase,
    pub key: String,
    pub ledger: Ledger,
    /// Stops callers and changes of the follower list.
    pub stop_callers: CancellationToken,
    /// Stops receipts. Fires after all messages were sent.
    pub stop_messages: CancellationToken,
    tasks: Mutex<JoinSet<()>>,
}

impl Cluster {
    /// Starts the replicas after a first sync. Returns `None` if there is no such test database.
    pub async fn start(backend: Backend, replicas: usize) -> Option<Arc<Self>> {
        let database = TestDatabase::new(backend).await?;
        let store = database.store().await;
        let url = url_with_canary(&database, backend).await;
        let (world, balancer) = (world().await, Arc::new(Balancer::of(replicas).await));
        let mut started = Vec::new();
        for number in 0..replicas {
            let proxy = match database.server_address() {
                Some(server) => Some(Proxy::to(server).await),
                None => None,
            };
            let address = proxy.as_ref().map(|proxy| proxy.address);
            let bridge = Bridge::on(&world, &url_through(&url, address), SETTINGS);
            let bridge = bridge.with("UNIONID_BRIDGE__WECHAT__TIMEOUT_SECONDS", "2");
            let bridge = bridge.with("UNIONID_BRIDGE__DATABASE__MAX_CONNECTIONS", "6");
            started.push(Arc::new(Replica::new(number, bridge, proxy, balancer.clone())));
        }
        let replicas = started;
        let bridge = &replicas[0].bridge;
        assert_eq!(bridge.run(&["sync"]).await.status.code(), Some(0));
        let key = bridge.key("login,resolve,push,sync").await;
        let url = format!("http://{}/v1/callbacks/{{appid}}", balancer.address);
        world.set_callback_url(&url).unwrap();
        world.push_receipts(false);
        let (ledger, stop_callers, stop_messages, tasks) = Default::default();
        let cluster = Self {
            world,
            replicas,
            balancer,
            store,
            _database: database,
            key,
            ledger,
            stop_callers,
            stop_messages,
            tasks,
        };
        cluster.keep_secrets();
        for replica in &cluster.replicas {
            replica.start().await;
        }
        Some(Arc::new(cluster))
    }

    fn keep_secrets(&self) {
        CANARIES.iter().for_each(|secret| self.ledger.keep_secret((*secret).to_owned()));
        let secret_part = self.key.rsplit('_').next().unwrap().to_owned();
        self.ledger.keep_secret(secret_part);
    }

    pub fn main(&self) -> Account {
        self.world.main()
    }

    pub fn program(&self) -> Account {
        self.world.mini_program().unwrap()
    }

    pub fn now_seconds(&self) -> i64 {
        Clock::system().now().timestamp()
    }

    /// Sends an authenticated request to a replica. Returns the status and the JSON, or `None` without an
    /// answer.
    pub async fn request(
        &self,
        caller: &'static str,
        (method, path): (&str, &str),
        (idempotency_key, body): (Option<&str>, Option<Value>),
    ) -> Option<(u16, Value)> {
        let mut call = self.balancer.call(method, path).key(&self.key);
        if let Some(key) = idempotency_key {
            call = call.header("idempotency-key", key);
        }
        if let Some(body) = body {
            call = call.json(body);
        }
        let answer = call.try_send().await.ok();
        self.ledger.record_answer(caller, answer.as_ref().map_or(0, |answer| answer.status));
        let answer = answer?;
        // Also checks that problems are complete, whatever fails.
        let code = answer.code();
        assert!(answer.status != 500 && answer.status != 401, "{caller}: {answer:?}");
        if answer.status == 503 {
            let retry_after = answer.header("retry-after");
            assert!(!retry_after.is_empty(), "{caller}: {code}: {answer:?}");
        }
        Some((answer.status, answer.json()))
    }

    /// Spawns a task.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap().spawn(task);
    }

    /// Whether all tasks have finished. Panics if one has panicked.
    pub fn is_idle(&self) -> bool {
        let mut tasks = self.tasks.lock().unwrap();
        while let Some(finished) = tasks.try_join_next() {
            finished.unwrap();
        }
        tasks.is_empty()
    }

    /// Aborts all tasks and kills all replicas.
    pub fn abort(&self) {
        // A failed task poisons the mutex.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        self.replicas.iter().for_each(|replica| replica.abort());
    }

    /// Sleeps, or returns `false` as soon as callers are stopped.
    pub async fn sleep(&self, time: Duration) -> bool {
        self.stop_callers.run_until_cancelled(tokio::time::sleep(time)).await.is_some()
    }
}

/// A sandbox with unique secrets, several pages of followers, and some latency.
async fn world() -> Sandbox {
    let mut main =
        OfficialAccount::new("main", OFFICIAL_ACCOUNT, ACCOUNT_SECRET, INITIAL_FOLLOWERS);
    main.callback = Some(Callback::safe("", CALLBACK_TOKEN, ENCODING_AES_KEY));
    let mut shop = MiniProgram::new("shop", MINI_PROGRAM, PROGRAM_SECRET);
    shop.callback = main.callback.clone();
    let options = Options {
        official_accounts: vec![main],
        mini_programs: vec![shop],
        page_size: PAGE_SIZE,
        push_timeout: Duration::from_secs(3),
        ..Options::default()
    };
    let options = options.latency(Call::UserGet, Duration::from_millis(40));
    let options = options.latency(Call::UserInfoBatchget, Duration::from_millis(20));
    Sandbox::start(options).await.unwrap()
}

/// Returns the URL with the address of a replica's proxy, if it has one.
fn url_through(url: &str, proxy: Option<std::net::SocketAddr>) -> String {
    let Some(proxy) = proxy else { return url.to_owned() };
    let mut url = reqwest::Url::parse(url).unwrap();
    url.set_host(Some(&proxy.ip().to_string())).unwrap();
    url.set_port(Some(proxy.port())).unwrap();
    url.into()
}
