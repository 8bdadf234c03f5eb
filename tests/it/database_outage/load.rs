//! Callers that send requests while the database is unreachable.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio_util::sync::CancellationToken;
use unionid_bridge::sandbox::{Event, Sandbox};

use crate::harness::{Answer, ServeProcess};

/// The first number of people that the service has never seen.
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

/// Callers that continue after every error.
pub struct Load<'a> {
    world: &'a Sandbox,
    serving: &'a ServeProcess,
    key: String,
    pub stop: CancellationToken,
    latest: Mutex<Latest>,
}

impl<'a> Load<'a> {
    /// `key` must be valid for logins and lookups, and known to the service.
    pub fn new(world: &'a Sandbox, serving: &'a ServeProcess, key: String) -> Self {
        let (stop, latest) = (CancellationToken::new(), Mutex::default());
        Self { world, serving, key, stop, latest }
    }

    /// Runs all callers until they are stopped. Returns the number of acknowledged callbacks.
    pub async fn run(&self) -> u64 {
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

    /// Repeats a request until the callers are stopped. Each answer must be 200, or 503 with `Retry-After`.
    /// Returns the number of successes.
    async fn repeat(
        &self,
        send: impl AsyncFn(u64) -> Answer,
        record: impl Fn(&mut Latest, u16),
    ) -> u64 {
        let mut succeeded = 0;
        for turn in 0.. {
            if self.stop.is_cancelled() {
                break;
            }
            let began = Instant::now();
            let answer = send(turn).await;
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}: {answer:?}", began.elapsed());
            match answer.status {
                200 => succeeded += 1,
                status => {
                    assert_eq!((status, answer.header("retry-after")), (503, "2"), "{answer:?}");
                }
            }
            record(&mut self.latest.lock().unwrap(), answer.status);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        succeeded
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

    /// Sends an unfollow event of a person that the service has never seen.
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
