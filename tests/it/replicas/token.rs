//! T9, T10: two services on one database, each with calls in flight, while their shared access token expires,
//! is refused repeatedly, or is refreshed twice at once.

use std::time::Duration;

use rstest::rstest;
use sea_orm::EntityTrait;
use sea_orm::sea_query::Expr;
use serde_json::json;
use tokio::process::Child;
use unionid_bridge::model::{MessageId, MessageState, Run, RunState};
use unionid_bridge::sandbox::{Call, Fault, Options, RuleId, Sandbox, When};
use unionid_bridge::store::{Store, runs};

use crate::harness::{
    Backend, Bridge, ServeProcess, TestDatabase, eventually, new_message, new_route, queue, signal,
    stderr, until, wait_for_message, wait_for_state,
};

/// The number of calls in flight in each service.
const CALLERS: u64 = 16;

/// The number of followers in that many batches.
const FOLLOWERS: u64 = CALLERS * 100;

/// The latency of calls: all calls are in flight before the first is refused.
const LATENCY: Duration = Duration::from_millis(2_000);

const TOKENS: &str = "[http]\ntoken_api = true\n[sync]\nenabled = false\n";

/// A service that syncs and a service that sends messages.
struct Two {
    world: Sandbox,
    store: Store,
    bridge: Bridge,
    _sender: Bridge,
    syncing: ServeProcess,
    sending: ServeProcess,
    key: String,
}

impl Two {
    /// Starts both services, loads the token into their memory, and resets the statistics.
    async fn on(database: &TestDatabase) -> Self {
        let options = Options::with_followers(FOLLOWERS).latency(Call::TemplateSend, LATENCY);
        let options = options.latency(Call::UserInfoBatchget, LATENCY);
        let world = Sandbox::start(options).await.unwrap();
        let bridge = Bridge::on(&world, &database.url, &format!("{TOKENS}[push]\nenabled = false"));
        let sender = Bridge::on(&world, &database.url, TOKENS);
        let key = bridge.key("token,sync").await;
        let (syncing, sending) =
            (ServeProcess::start(&bridge).await, ServeProcess::start(&sender).await);
        let store = bridge.store().await;
        let two = Self { world, store, bridge, _sender: sender, syncing, sending, key };
        assert_eq!(two.token(&two.syncing).await, two.token(&two.sending).await);
        assert_eq!(two.world.requests(Call::StableToken), 1);
        two.world.reset_stats();
        two
    }

    /// Returns the Official Account's token from a service.
    async fn token(&self, serving: &ServeProcess) -> String {
        let path = format!("/v1/access-tokens/{}", self.world.main().appid());
        let answer = serving.call("GET", &path).key(&self.key).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Starts sixteen messages in one service and sixteen batches of profiles in the other.
    async fn begin(&self) -> Vec<MessageId> {
        let messages = self.queue().await;
        // The queue is polled at intervals.
        until("the first message", || self.world.requests(Call::TemplateSend) > 0).await;
        let start = self.syncing.call("POST", "/v1/sync-runs").key(&self.key).json(json!({}));
        let answer = start.send().await;
        assert_eq!(answer.status, 202, "{answer:?}");
        messages
    }

    /// Queues a message to each of sixteen people.
    async fn queue(&self) -> Vec<MessageId> {
        let mut messages = Vec::new();
        for person in 0..CALLERS {
            messages
                .push(new_message(new_route(&self.store, &self.world.main(), person).await, None));
        }
        queue(&self.store, &messages).await
    }

    /// Waits until all calls are in flight.
    async fn wait_for_calls(&self) {
        until("all calls", || {
            let made = |call| self.world.requests(call) >= CALLERS;
            made(Call::UserInfoBatchget) && made(Call::TemplateSend)
        })
        .await;
    }

    async fn run(&self) -> Run {
        runs::list(self.store.reader(), None, 1).await.unwrap().remove(0)
    }

    /// Waits until the run is no longer running.
    async fn wait_for_run(&self) -> Run {
        eventually("the run to stop", async || self.run().await.state != RunState::Running).await;
        self.run().await
    }

    async fn stop(self) -> String {
        let (syncing, sending) = (self.syncing.stop().await, self.sending.stop().await);
        assert_eq!((syncing.0, sending.0), (Some(0), Some(0)));
        String::from_utf8(syncing.1).unwrap() + &String::from_utf8(sending.1).unwrap()
    }
}

/// Makes WeChat refuse the first calls of both services.
fn refuse_all_in_flight(world: &Sandbox, errcode: i64) -> [RuleId; 2] {
    [Call::UserInfoBatchget, Call::TemplateSend]
        .map(|call| world.fail(call, 1..=CALLERS, Fault::Errcode(errcode)))
}

#[rstest]
#[tokio::test]
async fn a_rejection_of_all_calls_in_flight_costs_one_refresh_and_a_retry_each(
    #[values(40001, 42001)] errcode: i64,
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let two = Two::on(&database).await;
    let rules = refuse_all_in_flight(&two.world, errcode);
    let messages = two.begin().await;
    two.wait_for_calls().await;
    assert_eq!(two.world.requests(Call::StableToken), 0, "not all were in flight together");

    assert_eq!(two.wait_for_run().await.state, RunState::Succeeded);
    for id in &messages {
        let message = wait_for_state(&two.store, id, MessageState::Sent).await;
        assert_eq!(message.attempt, 1, "the repetition counts as an attempt: {message:?}");
    }
    assert_eq!(rules.map(|rule| two.world.hits(rule)), [CALLERS; 2]);
    assert_eq!(two.world.requests(Call::StableToken), 1);
    assert_eq!(two.world.requests(Call::UserInfoBatchget), 2 * CALLERS);
    assert_eq!(two.world.requests(Call::TemplateSend), 2 * CALLERS);
    assert_eq!(two.world.sent_messages().len() as u64, CALLERS);
    two.bridge.assert_mirrors(&two.world).await;
    two.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_token_that_becomes_invalid_under_load_is_replaced_once(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let two = Two::on(&database).await;
    let old = two.token(&two.syncing).await;
    // The token becomes invalid with the ninth batch, also for all later calls of both services.
    let rule = two.world.fail(Call::UserInfoBatchget, 9, Fault::TokenDead);
    let mut messages = two.begin().await;
    until("the token to become invalid", || two.world.hits(rule) == 1).await;
    messages.extend(two.queue().await);
    assert_eq!(two.wait_for_run().await.state, RunState::Succeeded);
    for id in &messages {
        wait_for_state(&two.store, id, MessageState::Sent).await;
    }
    assert_eq!(two.world.hits(rule), 1);
    assert_eq!(two.world.requests(Call::StableToken), 1);
    let stats = two.world.stats();
    for (call, calls) in [(Call::UserInfoBatchget, CALLERS), (Call::TemplateSend, 2 * CALLERS)] {
        let refused = stats.errors(call, 40001);
        // The other service may get the new token before it calls with the old one.
        assert!(refused > 0 || call == Call::TemplateSend, "{call}");
        assert_eq!(two.world.requests(call), calls + refused, "{call}");
    }
    assert_eq!(two.world.sent_messages().len() as u64, 2 * CALLERS);
    let token = two.token(&two.syncing).await;
    assert_ne!(token, old);
    assert_eq!(token, two.token(&two.sending).await);
    two.bridge.assert_mirrors(&two.world).await;
    two.stop().await;
}

#[rstest]
#[tokio::test]
async fn an_always_rejected_token_is_refreshed_at_most_twice_by_both_replicas(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let two = Two::on(&database).await;
    let token = two.token(&two.syncing).await;
    for call in [Call::UserInfoBatchget, Call::TemplateSend] {
        two.world.fail(call, When::Always, Fault::Errcode(40001));
    }
    let messages = two.begin().await;
    let run = two.wait_for_run().await;
    assert_eq!(run.state, RunState::Paused);
    for id in &messages {
        wait_for_message(&two.store, id, |message| !message.attempts.is_empty()).await;
    }
    // A new process does not refresh again.
    let sync = two.bridge.run(&["sync"]).await;
    assert_eq!(sync.status.code(), Some(75), "{}", stderr(&sync));
    assert!(stderr(&sync).contains("hint: another system"), "{}", stderr(&sync));
    assert!((1..=2).contains(&two.world.requests(Call::StableToken)));
    // A forced refresh would have returned another token.
    assert_eq!(two.token(&two.sending).await, token);
    assert_eq!(two.world.sent_messages().len(), 0);

    // The other system was stopped, and an operator refreshes the token.
    two.world.clear_faults();
    let appid = two.world.main().appid().to_owned();
    two.bridge.json(&["token", "refresh", &appid]).await;
    let sync = two.bridge.run(&["sync"]).await;
    assert_eq!(sync.status.code(), Some(0), "{}", stderr(&sync));
    two.bridge.assert_mirrors(&two.world).await;
    let output = two.stop().await;
    assert!(output.contains("another system may be refreshing this AppID's token"), "{output}");
}

/// Starts a refresh that is stopped for longer than its lease while WeChat answers.
async fn stopped_refresh(bridge: &Bridge, world: &Sandbox, store: &Store) -> Child {
    world.fail(Call::StableToken, 1, Fault::Stall(Duration::from_millis(1_000)));
    let slow = bridge.start(&["token", "refresh", world.main().appid(), "--json"]);
    until("its call", || world.requests(Call::StableToken) == 1).await;
    signal(&slow, "STOP");
    entity::lease::Entity::update_many()
        .col_expr(entity::lease::Column::ExpiresAt, Expr::value(0_i64))
        .exec(store.writer())
        .await
        .unwrap();
    slow
}

#[rstest]
#[tokio::test]
async fn the_newest_token_of_two_concurrent_refreshes_is_used_everywhere(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let two = Two::on(&database).await;
    let old = two.token(&two.syncing).await;
    let slow = stopped_refresh(&two.bridge, &two.world, &two.store).await;
    let appid = two.world.main().appid().to_owned();
    let newest = two.bridge.json(&["token", "refresh", &appid, "--force"]).await;
    let newest = newest["access_token"].as_str().unwrap().to_owned();
    assert_ne!(newest, old);

    // The older answer arrives last.
    signal(&slow, "CONT");
    let output = slow.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["access_token"], newest.as_str());
    assert_eq!(two.bridge.json(&["token", "show", &appid]).await["access_token"], newest.as_str());

    // Both services have the old token in memory, which WeChat no longer accepts. They do not refresh again.
    let messages = two.begin().await;
    assert_eq!(two.wait_for_run().await.state, RunState::Succeeded);
    for id in &messages {
        wait_for_state(&two.store, id, MessageState::Sent).await;
    }
    for serving in [&two.syncing, &two.sending] {
        assert_eq!(two.token(serving).await, newest);
    }
    assert_eq!(two.world.requests(Call::StableToken), 2);
    two.bridge.assert_mirrors(&two.world).await;
    two.stop().await;
}
