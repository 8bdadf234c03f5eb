//! T20: every connection to the database is taken. Who asks is told so soon, and nobody is told that
//! something was done which was not.

use std::time::{Duration, Instant};

use futures::future::join_all;
use rstest::rstest;
use serde_json::json;
use unionid_bridge::model::{MessageState, Scope};
use unionid_bridge::sandbox::{Account, Call, Envelope, Event, Sandbox};
use unionid_bridge::store::Transaction;

use crate::harness::{Answer, Backend, Service, TestApp, calling_back};

const CONNECTIONS: u32 = 3;

/// Well over the patience of 0.9 s, for a machine that has other tests to run.
const SOON: Duration = Duration::from_millis(1_500);

/// A service on few connections, whose follower 7 has logged in.
struct Town {
    world: Sandbox,
    app: TestApp,
    service: Service,
    key: String,
}

/// What a caller asks: method, path, and body.
type Asked = (&'static str, String, Vec<u8>);

impl Town {
    async fn on(backend: Backend) -> Option<Self> {
        let world = calling_back(10).await;
        let app = TestApp::pooled(&world, backend, CONNECTIONS, "").await?;
        app.sync_true(&world).await;
        let service = Service::start(&app).await;
        let key = service.key(&Scope::ALL).await;
        let town = Self { world, app, service, key };
        let answer = town.ask(town.login(&town.program().mint_code(7))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        // Whether the schema is up to date is asked until it is.
        town.assert_well(vec![("GET", "/readyz".to_owned(), Vec::new())]).await;
        Some(town)
    }

    fn program(&self) -> Account {
        self.world.mini_program().unwrap()
    }

    fn login(&self, code: &str) -> Asked {
        ("POST", "/v1/login".to_owned(), json!({ "code": code }).to_string().into())
    }

    fn callback(&self, envelope: &Envelope) -> Asked {
        let path = format!("/v1/callbacks/{}?{}", self.world.main().appid(), envelope.query);
        ("POST", path, envelope.body.clone())
    }

    /// What only reads.
    fn questions(&self) -> Vec<Asked> {
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

    async fn ask(&self, (method, path, body): Asked) -> Answer {
        let call = self.service.call(method, &path).key(&self.key);
        let sort = if path.contains("callbacks") { "text/xml" } else { "application/json" };
        if body.is_empty() { call } else { call.header("content-type", sort).body(body) }
            .send()
            .await
    }

    /// All of it is refused, soon, and with a time to come back.
    async fn assert_away(&self, asked: Vec<Asked>) {
        join_all(asked.into_iter().map(async |asked| {
            let (what, began) = (format!("{} {}", asked.0, asked.1), Instant::now());
            let answer = self.ask(asked).await;
            assert_eq!((answer.status, answer.header("retry-after")), (503, "2"), "{what}");
            assert!(["database_unavailable", "not_ready"].contains(&&*answer.code()), "{answer:?}");
            assert!(began.elapsed() < SOON, "{what}: {:?}", began.elapsed());
        }))
        .await;
    }

    async fn assert_well(&self, asked: Vec<Asked>) {
        for asked in asked {
            let what = format!("{} {}", asked.0, asked.1);
            let answer = self.ask(asked).await;
            assert!([200, 204].contains(&answer.status), "{what}: {answer:?}");
        }
    }

    /// Every connection there is.
    async fn take_all(&self, backend: Backend) -> Vec<Transaction> {
        let store = &self.app.app.store;
        let mut taken = Vec::new();
        for _ in 0..CONNECTIONS {
            taken.push(store.reader().begin().await.unwrap());
        }
        if backend == Backend::Sqlite {
            // Its writer has a connection of its own.
            taken.push(store.begin().await.unwrap());
        }
        taken
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn with_every_connection_taken_all_is_refused_soon_and_well_afterwards(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(town) = Town::on(backend).await else { return };
    let code = town.program().mint_code(8);
    town.world.main().leave([3]);
    let envelope = town.world.main().envelope(Event::unsubscribe(3)).unwrap();
    let receipt = town.world.main().envelope(Event::template_sent(4, 7, "success")).unwrap();
    let message = town.app.sent(&town.world.main(), 4, 7).await;
    let forgotten = town.program().person(9).unionid.unwrap();
    let asked = || {
        let readyz = ("GET", "/readyz".to_owned(), Vec::new());
        let erase = ("DELETE", format!("/v1/identities/{forgotten}"), Vec::new());
        let mut asked = town.questions();
        asked.extend([town.login(&code), town.callback(&envelope), town.callback(&receipt)]);
        asked.extend([erase, readyz]);
        asked
    };
    let taken = town.take_all(backend).await;
    town.assert_away(asked()).await;
    // It lives, and tells its numbers.
    let rest = ["/livez", "/metrics"].map(|path| ("GET", path.to_owned(), Vec::new()));
    town.assert_well(rest.into()).await;
    drop(taken);

    assert_eq!(town.app.message(&message).await.state, MessageState::Sent);
    town.assert_well(asked()).await;
    assert_eq!(town.app.message(&message).await.state, MessageState::Delivered);
    town.app.assert_mirrors_all_but(&town.world, &[9]).await;
    // WeChat's answer was kept: the code was not sent a second time.
    assert_eq!(town.world.requests(Call::Jscode2session), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_reads_does_not_wait_for_sqlites_one_writer() {
    let town = Town::on(Backend::Sqlite).await.unwrap();
    let code = town.program().mint_code(8);
    town.world.main().leave([3]);
    let envelope = town.world.main().envelope(Event::unsubscribe(3)).unwrap();
    let writer = town.app.app.store.begin().await.unwrap();
    let writing = || vec![town.login(&code), town.callback(&envelope)];
    tokio::join!(town.assert_away(writing()), town.assert_well(town.questions()));
    drop(writer);
    town.assert_well(writing()).await;
    town.app.assert_mirrors(&town.world).await;
}
