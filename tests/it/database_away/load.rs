//! Callers who have to be told that the database is away.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio_util::sync::CancellationToken;
use unionid_bridge::sandbox::{Event, Sandbox};

use crate::harness::{Answer, Serving};

/// People from this number on were never known.
pub const STRANGERS: u64 = 1_000_000;

/// The latest status of each kind of request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Latest {
    pub login: u16,
    pub resolve: u16,
    pub callback: u16,
}

impl Latest {
    pub fn all(self, status: u16) -> bool {
        [self.login, self.resolve, self.callback] == [status; 3]
    }
}

/// Callers who go on whatever they are told.
pub struct Load<'a> {
    world: &'a Sandbox,
    serving: &'a Serving,
    key: String,
    pub stop: CancellationToken,
    latest: Mutex<Latest>,
}

impl<'a> Load<'a> {
    /// With a key for logins and look-ups that the service knows already.
    pub fn new(world: &'a Sandbox, serving: &'a Serving, key: String) -> Self {
        let (stop, latest) = (CancellationToken::new(), Mutex::default());
        Self { world, serving, key, stop, latest }
    }

    /// All of them at once; how many callbacks were acknowledged.
    pub async fn go_on(&self) -> u64 {
        let (.., acknowledged) = tokio::join!(
            self.repeat(
                async |turn| self.log_in(turn).await,
                |latest, status| {
                    latest.login = status;
                }
            ),
            self.repeat(
                async |turn| self.resolve(turn).await,
                |latest, status| {
                    latest.resolve = status;
                }
            ),
            self.repeat(
                async |turn| self.call_back(turn).await,
                |latest, status| {
                    latest.callback = status;
                }
            ),
        );
        acknowledged
    }

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
        let envelope = main.envelope(Event::unsubscribe(STRANGERS + turn)).unwrap();
        let path = format!("/v1/callbacks/{}?{}", main.appid(), envelope.query);
        let call = self.serving.call("POST", &path).header("content-type", "text/xml");
        let answer = call.body(envelope.body).send().await;
        assert!(answer.status != 200 || answer.text == "success", "{answer:?}");
        answer
    }

    pub fn latest(&self) -> Latest {
        *self.latest.lock().unwrap()
    }

    pub async fn status(&self, path: &str) -> u16 {
        self.serving.call("GET", path).send().await.status
    }
}
