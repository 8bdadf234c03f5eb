//! T20: all database connections are in use. Callers get an error soon, and no answer claims success for
//! something that was not done.

use std::time::{Duration, Instant};

use futures::future::join_all;
use rstest::rstest;
use serde_json::json;
use unionid_bridge::model::{MessageState, Scope};
use unionid_bridge::sandbox::{Account, Call, Envelope, Event, Sandbox};
use unionid_bridge::store::Transaction;

use crate::harness::{Answer, Backend, Service, TestApp, calling_back};

const CONNECTIONS: u32 = 3;

/// Well over the timeout of 0.9 s, because other tests run on the same machine.
const SOON: Duration = Duration::from_millis(1_500);

/// A service with few database connections, whose follower 7 has logged in.
struct Setup {
    world: Sandbox,
    app: TestApp,
    service: Service,
    key: String,
}

/// A request: method, path, and body.
type Request = (&'static str, String, Vec<u8>);

impl Setup {
    async fn on(backend: Backend) -> Option<Self> {
        let world = calling_back(10).await;
        let app = TestApp::pooled(&world, backend, CONNECTIONS, "").await?;
        app.sync_true(&world).await;
        let service = Service::start(&app).await;
        let key = service.key(&Scope::ALL).await;
        let setup = Self { world, app, service, key };
        let answer = setup.send(setup.login(&setup.program().mint_code(7))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        // The first success caches that the schema is up to date.
        setup.assert_succeed(vec![("GET", "/readyz".to_owned(), Vec::new())]).await;
        Some(setup)
    }

    fn program(&self) -> Account {
        self.world.mini_program().unwrap()
    }

    fn login(&self, code: &str) -> Request {
        ("POST", "/v1/login".to_owned(), json!({ "code": code }).to_string().into())
    }

    fn callback(&self, envelope: &Envelope) -> Request {
        let path = format!("/v1/callbacks/{}?{}", self.world.main().appid(), envelope.query);
        ("POST", path, envelope.body.clone())
    }

    /// Requests that only read.
    fn reads(&self) -> Vec<Request> {
        let (appid, person) = (self.program().appid().to_owned(), self.program().person(7));
        let (openid, unionid) = (person.openid, person.unionid.unwrap());
        let many = json!({ "users": [{ "appid": appid, "openid": openid }] });
        vec![
            ("GET", format!("/v1/resolve-openid?appid={appid}&openid={openid}"), Vec::new()),
            ("GET", format!("/v1/resolve-openid?unionid={unionid}"), Vec::new()),
            ("POST", "/v1/resolve-openid".to_owned(), many.to_string().into()),
            ("GET", format!("/v1/identities/{unionid}"), Vec::new()),
        ]
    }

    async fn send(&self, (method, path, body): Request) -> Answer {
        let call = self.service.call(method, &path).key(&self.key);
        let content_type = if path.contains("callbacks") { "text/xml" } else { "application/json" };
        if body.is_empty() { call } else { call.header("content-type", content_type).body(body) }
            .send()
            .await
    }

    /// Asserts that all requests get 503 soon, with `Retry-After`.
    async fn assert_unavailable(&self, requests: Vec<Request>) {
        join_all(requests.into_iter().map(async |request| {
            let (what, began) = (format!("{} {}", request.0, request.1), Instant::now());
            let answer = self.send(request).await;
            assert_eq!((answer.status, answer.header("retry-after")), (503, "2"), "{what}");
            assert!(["database_unavailable", "not_ready"].contains(&&*answer.code()), "{answer:?}");
            assert!(began.elapsed() < SOON, "{what}: {:?}", began.elapsed());
        }))
        .await;
    }

    async fn assert_succeed(&self, requests: Vec<Request>) {
        for request in requests {
            let what = format!("{} {}", request.0, request.1);
            let answer = self.send(request).await;
            assert!([200, 204].contains(&answer.status), "{what}: {answer:?}");
        }
    }

    /// Takes all connections.
    async fn take_all(&self, backend: Backend) -> Vec<Transaction> {
        let store = &self.app.app.store;
        let mut taken = Vec::new();
        for _ in 0..CONNECTIONS {
            taken.push(store.reader().begin().await.unwrap());
        }
        if backend == Backend::Sqlite {
            // The writer has a separate connection.
            taken.push(store.begin().await.unwrap());
        }
        taken
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_pool_fails_requests_quickly_and_recovers(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(setup) = Setup::on(backend).await else { return };
    let code = setup.program().mint_code(8);
    setup.world.main().leave([3]);
    let envelope = setup.world.main().envelope(Event::unsubscribe(3)).unwrap();
    let receipt = setup.world.main().envelope(Event::template_sent(4, 7, "success")).unwrap();
    let message = setup.app.sent(&setup.world.main(), 4, 7).await;
    let erased = setup.program().person(9).unionid.unwrap();
    let requests = || {
        let readyz = ("GET", "/readyz".to_owned(), Vec::new());
        let erase = ("DELETE", format!("/v1/identities/{erased}"), Vec::new());
        let mut requests = setup.reads();
        requests.extend([setup.login(&code), setup.callback(&envelope), setup.callback(&receipt)]);
        requests.extend([erase, readyz]);
        requests
    };
    let taken = setup.take_all(backend).await;
    setup.assert_unavailable(requests()).await;
    // Liveness and metrics do not need the database.
    let others = ["/livez", "/metrics"].map(|path| ("GET", path.to_owned(), Vec::new()));
    setup.assert_succeed(others.into()).await;
    drop(taken);

    assert_eq!(setup.app.message(&message).await.state, MessageState::Sent);
    setup.assert_succeed(requests()).await;
    assert_eq!(setup.app.message(&message).await.state, MessageState::Delivered);
    setup.app.assert_mirrors_all_but(&setup.world, &[9]).await;
    // WeChat's answer was kept: the code was not sent a second time.
    assert_eq!(setup.world.requests(Call::Jscode2session), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_do_not_wait_for_sqlites_only_writer() {
    let setup = Setup::on(Backend::Sqlite).await.unwrap();
    let code = setup.program().mint_code(8);
    setup.world.main().leave([3]);
    let envelope = setup.world.main().envelope(Event::unsubscribe(3)).unwrap();
    let writer = setup.app.app.store.begin().await.unwrap();
    let writes = || vec![setup.login(&code), setup.callback(&envelope)];
    tokio::join!(setup.assert_unavailable(writes()), setup.assert_succeed(setup.reads()));
    drop(writer);
    setup.assert_succeed(writes()).await;
    setup.app.assert_mirrors(&setup.world).await;
}
