//! The sandbox, the replicas on one database, and everybody who wants something of them.

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

use super::ledger::Ledger;
use super::replica::Replica;
use crate::harness::{Backend, Balancer, Bridge, Proxy, TestDatabase};
use crate::secrets::{ACCOUNT_SECRET, CALLBACK_TOKEN, CANARIES, ENCODING_AES_KEY, PROGRAM_SECRET};
use crate::secrets_serve::url_with_canary;

/// The followers who never leave: the people before this number.
pub const RESIDENTS: u64 = 2_700;

/// The followers at first: those after the residents come and go.
pub const FOLLOWERS: u64 = 3_000;

const PAGE_SIZE: usize = 200;

const SETTINGS: &str = "
[sync]
schedule = '* * * * * *'
lease_seconds = 3
[log]
filter = 'debug'
";

/// Where it all happens.
pub struct Town {
    pub world: Sandbox,
    pub replicas: Vec<Arc<Replica>>,
    pub balancer: Arc<Balancer>,
    /// The test's own connections, on which nothing goes wrong.
    pub store: Store,
    _database: TestDatabase,
    pub key: String,
    pub ledger: Ledger,
    /// Fires when callers are to leave, and nobody comes or goes any more.
    pub dusk: CancellationToken,
    /// Fires when no message is on its way to WeChat any more.
    pub night: CancellationToken,
    /// Everybody who is at something.
    crowd: Mutex<JoinSet<()>>,
}

impl Town {
    /// So many replicas, up and in step with the sandbox; `None` where there is no such database.
    pub async fn open(backend: Backend, replicas: usize) -> Option<Arc<Self>> {
        let database = TestDatabase::new(backend).await?;
        let store = database.store().await;
        let url = url_with_canary(&database, backend).await;
        let (world, balancer) = (world().await, Arc::new(Balancer::of(replicas).await));
        let mut places = Vec::new();
        for number in 0..replicas {
            let proxy = match database.server_address() {
                Some(server) => Some(Proxy::to(server).await),
                None => None,
            };
            let way = proxy.as_ref().map(|proxy| proxy.address);
            let bridge = Bridge::on(&world, &url_by(&url, way), SETTINGS);
            let bridge = bridge.with("UNIONID_BRIDGE__WECHAT__TIMEOUT_SECONDS", "2");
            let bridge = bridge.with("UNIONID_BRIDGE__DATABASE__MAX_CONNECTIONS", "6");
            places.push(Arc::new(Replica::new(number, bridge, proxy, balancer.clone())));
        }
        let bridge = &places[0].bridge;
        assert_eq!(bridge.run(&["sync"]).await.status.code(), Some(0));
        let key = bridge.key("login,resolve,push,sync").await;
        let url = format!("http://{}/v1/callbacks/{{appid}}", balancer.address);
        world.set_callback_url(&url).unwrap();
        world.push_receipts(false);
        let (ledger, dusk, night, crowd) = Default::default();
        let replicas = places;
        let town = Self {
            world,
            replicas,
            balancer,
            store,
            _database: database,
            key,
            ledger,
            dusk,
            night,
            crowd,
        };
        town.note_secrets();
        for replica in &town.replicas {
            replica.start().await;
        }
        Some(Arc::new(town))
    }

    fn note_secrets(&self) {
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

    /// In seconds.
    pub fn now(&self) -> i64 {
        Clock::system().now().timestamp()
    }

    /// Asks a replica with the key; the status and the answer, or nothing where none came.
    pub async fn ask(
        &self,
        caller: &'static str,
        (method, path): (&str, &str),
        (name, body): (Option<&str>, Option<Value>),
    ) -> Option<(u16, Value)> {
        let mut call = self.balancer.call(method, path).key(&self.key);
        if let Some(name) = name {
            call = call.header("idempotency-key", name);
        }
        if let Some(body) = body {
            call = call.json(body);
        }
        let answer = call.try_send().await.ok();
        self.ledger.answered(caller, answer.as_ref().map_or(0, |answer| answer.status));
        let answer = answer?;
        // A problem is whole, whatever goes wrong.
        let code = answer.code();
        assert!(answer.status != 500 && answer.status != 401, "{caller}: {answer:?}");
        if answer.status == 503 {
            let retry_after = answer.header("retry-after");
            assert!(!retry_after.is_empty(), "{caller}: {code}: {answer:?}");
        }
        Some((answer.status, answer.json()))
    }

    /// Has somebody be at something.
    pub fn send_out(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.crowd.lock().unwrap().spawn(work);
    }

    /// Whether everybody has come home. Fails where somebody has met what must not be.
    pub fn is_quiet(&self) -> bool {
        let mut crowd = self.crowd.lock().unwrap();
        while let Some(home) = crowd.try_join_next() {
            home.unwrap();
        }
        crowd.is_empty()
    }

    /// Nobody is at anything any more, the replicas neither.
    pub fn abandon(&self) {
        // Whoever failed held it.
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        self.replicas.iter().for_each(|replica| replica.abandon());
    }

    /// Waits a little, or until dusk; whether it is day still.
    pub async fn rests(&self, time: Duration) -> bool {
        self.dusk.run_until_cancelled(tokio::time::sleep(time)).await.is_some()
    }
}

/// Secrets that are found nowhere else, pages small enough that a run has some, calls that take a
/// moment.
async fn world() -> Sandbox {
    let mut main = OfficialAccount::new("main", OFFICIAL_ACCOUNT, ACCOUNT_SECRET, FOLLOWERS);
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

/// The same URL by a replica's own way.
fn url_by(url: &str, way: Option<std::net::SocketAddr>) -> String {
    let Some(way) = way else { return url.to_owned() };
    let mut url = reqwest::Url::parse(url).unwrap();
    url.set_host(Some(&way.ip().to_string())).unwrap();
    url.set_port(Some(way.port())).unwrap();
    url.into()
}
