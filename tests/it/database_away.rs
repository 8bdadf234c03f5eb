//! T3 for who calls: the database goes away under load, and comes back.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rstest::rstest;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use unionid_bridge::sandbox::{Event, Sandbox};

use crate::harness::{
    Answer, Backend, Bridge, Proxy, Serving, TestDatabase, Way, calling_back, until,
};

/// Nothing but requests is to be seen.
const NO_SYNC: &str = "[sync]\nenabled = false";

/// Longer than an API key is believed without the database.
const LONG: Duration = Duration::from_secs(6);

const SHORT: Duration = Duration::from_secs(1);

/// The latest status of each kind of request.
#[derive(Debug, Clone, Copy, Default)]
struct Latest {
    login: u16,
    resolve: u16,
    callback: u16,
}

impl Latest {
    fn all(self, status: u16) -> bool {
        [self.login, self.resolve, self.callback] == [status; 3]
    }
}

/// Callers who go on whatever they are told.
struct Load<'a> {
    world: &'a Sandbox,
    serving: &'a Serving,
    key: String,
    stop: CancellationToken,
    latest: Mutex<Latest>,
}

impl Load<'_> {
    /// Asks again and again until the end; each is answered well, or with 503 and a time to come back.
    async fn repeat(
        &self,
        ask: impl AsyncFn(u64) -> Answer,
        note: impl Fn(&mut Latest, u16),
    ) -> u64 {
        let mut well = 0;
        for turn in 0.. {
            if self.stop.is_cancelled() {
                break;
            }
            let began = Instant::now();
            let answer = ask(turn).await;
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}: {answer:?}", began.elapsed());
            match answer.status {
                200 => well += 1,
                status => {
                    assert_eq!((status, answer.header("retry-after")), (503, "2"), "{answer:?}");
                }
            }
            note(&mut self.latest.lock().unwrap(), answer.status);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        well
    }

    async fn log_in(&self, turn: u64) -> Answer {
        let code = self.world.mini_program().unwrap().mint_code(turn % 50);
        let call = self.serving.call("POST", "/v1/login").key(&self.key);
        call.json(json!({ "code": code })).send().await
    }

    async fn resolve(&self, turn: u64) -> Answer {
        let unionid = self.world.main().person(turn % 50).unionid.unwrap();
        let path = format!("/v1/resolve-openid?unionid={unionid}");
        self.serving.call("GET", &path).key(&self.key).send().await
    }

    /// Each time another person unfollows who was never known.
    async fn call_back(&self, turn: u64) -> Answer {
        let main = self.world.main();
        let letter = main.letter(Event::unsubscribe(1_000 + turn)).unwrap();
        let path = format!("/v1/callbacks/{}?{}", main.appid(), letter.query);
        let call = self.serving.call("POST", &path).header("content-type", "text/xml");
        let answer = call.body(letter.body).send().await;
        assert!(answer.status != 200 || answer.text == "success", "{answer:?}");
        answer
    }

    fn latest(&self) -> Latest {
        *self.latest.lock().unwrap()
    }

    async fn status(&self, path: &str) -> u16 {
        self.serving.call("GET", path).send().await.status
    }
}

#[rstest]
#[case::stopped(Way::Cut, LONG)]
#[case::restarted(Way::Cut, SHORT)]
#[case::lost(Way::Silent, SHORT)]
#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_callers_are_told_so_and_it_is_taken_up_again_by_itself(
    #[case] how: Way,
    #[case] away: Duration,
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(50).await;
    let Some(database) = TestDatabase::new(backend).await else { return };
    let proxy = Proxy::to(database.server_address().unwrap()).await;
    let url = database.url_through(proxy.address).unwrap();
    let bridge = Bridge::on(&world, &url, NO_SYNC);
    assert_eq!(bridge.run(&["sync"]).await.status.code(), Some(0));
    let basis = ["keys", "create", "--name", "load", "--scope", "login,resolve"];
    let key = bridge.json(&basis).await["key"].as_str().unwrap().to_owned();
    let serving = Serving::start(&bridge).await;
    let stop = CancellationToken::new();
    let load = Load { world: &world, serving: &serving, key, stop, latest: Mutex::default() };

    let story = async {
        until("all to be well", || load.latest().all(200)).await;
        assert_eq!(load.status("/readyz").await, 200);
        proxy.set(how);
        let cut = Instant::now();
        until("all to be refused", || load.latest().all(503)).await;
        assert!(cut.elapsed() < Duration::from_secs(3), "{:?}", cut.elapsed());
        assert_eq!((load.status("/readyz").await, load.status("/livez").await), (503, 200));
        tokio::time::sleep(away.saturating_sub(cut.elapsed())).await;
        assert!(load.latest().all(503), "{:?}", load.latest());

        proxy.set(Way::Open);
        let back = Instant::now();
        until("all to be well again", || load.latest().all(200)).await;
        assert_eq!(load.status("/readyz").await, 200);
        assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
        load.stop.cancel();
    };
    let (.., acknowledged, ()) = tokio::join!(
        load.repeat(async |turn| load.log_in(turn).await, |latest, status| latest.login = status),
        load.repeat(
            async |turn| load.resolve(turn).await,
            |latest, status| latest.resolve = status
        ),
        load.repeat(
            async |turn| load.call_back(turn).await,
            |latest, status| latest.callback = status
        ),
        story,
    );
    // Whatever was acknowledged is there. A commit whose answer was lost may be there besides.
    let store = database.connect().await;
    let left = entity::follower::Entity::find();
    let left = left.filter(entity::follower::Column::Subscribed.eq(false));
    let left = left.count(store.reader()).await.unwrap();
    assert!(
        (acknowledged..=acknowledged + 2).contains(&left),
        "{left}, {acknowledged} acknowledged"
    );
    drop(load);
    assert_eq!(serving.stop().await.0, Some(0));
}
