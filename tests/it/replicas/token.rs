//! T9, T10: two services on one database, each with calls of its own in flight, when the access token they
//! share dies, is refused again and again, or is refreshed twice at once.

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
    Backend, Bridge, Serving, TestDatabase, becomes, ends, eventually, new, queue, route, signal,
    talk, until,
};

/// Calls in flight in each service.
const CALLERS: u64 = 16;

/// One follower for each profile that so many batches ask for.
const FOLLOWERS: u64 = CALLERS * 100;

/// How long an answer takes: all calls are under way before the first is refused.
const LATENCY: Duration = Duration::from_millis(2_000);

const TOKENS: &str = "[http]\ntoken_api = true\n[sync]\nenabled = false\n";

/// A service that syncs, and one that sends.
struct Two {
    world: Sandbox,
    store: Store,
    bridge: Bridge,
    _sender: Bridge,
    syncing: Serving,
    sending: Serving,
    key: String,
}

impl Two {
    /// Both with the token in memory, and each counted as nothing yet.
    async fn on(database: &TestDatabase) -> Self {
        let options = Options::with_followers(FOLLOWERS).latency(Call::TemplateSend, LATENCY);
        let options = options.latency(Call::UserInfoBatchget, LATENCY);
        let world = Sandbox::start(options).await.unwrap();
        let bridge = Bridge::on(&world, &database.url, &format!("{TOKENS}[push]\nenabled = false"));
        let sender = Bridge::on(&world, &database.url, TOKENS);
        let key = bridge.key("token,sync").await;
        let (syncing, sending) = (Serving::start(&bridge).await, Serving::start(&sender).await);
        let store = bridge.store().await;
        let two = Self { world, store, bridge, _sender: sender, syncing, sending, key };
        assert_eq!(two.token(&two.syncing).await, two.token(&two.sending).await);
        assert_eq!(two.world.requests(Call::StableToken), 1);
        two.world.reset_stats();
        two
    }

    /// The Official Account's token as a service has it.
    async fn token(&self, serving: &Serving) -> String {
        let path = format!("/v1/access-tokens/{}", self.world.main().appid());
        let answer = serving.call("GET", &path).key(&self.key).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Has both begin: sixteen messages here, sixteen batches of profiles there.
    async fn begin(&self) -> Vec<MessageId> {
        let messages = self.queue().await;
        // The queue is looked at now and then.
        until("the first message", || self.world.requests(Call::TemplateSend) > 0).await;
        let start = self.syncing.call("POST", "/v1/sync-runs").key(&self.key).json(json!({}));
        let answer = start.send().await;
        assert_eq!(answer.status, 202, "{answer:?}");
        messages
    }

    /// A message to each of sixteen people.
    async fn queue(&self) -> Vec<MessageId> {
        let mut messages = Vec::new();
        for person in 0..CALLERS {
            messages.push(new(route(&self.store, &self.world.main(), person).await, None));
        }
        queue(&self.store, &messages).await
    }

    /// Waits until all calls are in flight.
    async fn in_flight(&self) {
        until("all calls", || {
            let asked = |call| self.world.requests(call) >= CALLERS;
            asked(Call::UserInfoBatchget) && asked(Call::TemplateSend)
        })
        .await;
    }

    async fn run(&self) -> Run {
        runs::list(self.store.reader(), None, 1).await.unwrap().remove(0)
    }

    /// Waits until nobody works on the run any more.
    async fn run_ends(&self) -> Run {
        eventually("the run to stop", async || self.run().await.state != RunState::Running).await;
        self.run().await
    }

    async fn stop(self) -> String {
        let (syncing, sending) = (self.syncing.stop().await, self.sending.stop().await);
        assert_eq!((syncing.0, sending.0), (Some(0), Some(0)));
        String::from_utf8(syncing.1).unwrap() + &String::from_utf8(sending.1).unwrap()
    }
}

/// Has every first call of both be refused, as at once as they were made.
fn refuse_all_in_flight(world: &Sandbox, errcode: i64) -> [RuleId; 2] {
    [Call::UserInfoBatchget, Call::TemplateSend]
        .map(|call| world.fail(call, 1..=CALLERS, Fault::Errcode(errcode)))
}

#[rstest]
#[tokio::test]
async fn a_refusal_of_all_calls_in_flight_on_both_costs_one_refresh_and_one_repetition_each(
    #[values(40001, 42001)] errcode: i64,
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let two = Two::on(&database).await;
    let rules = refuse_all_in_flight(&two.world, errcode);
    let messages = two.begin().await;
    two.in_flight().await;
    assert_eq!(two.world.requests(Call::StableToken), 0, "not all were in flight together");

    assert_eq!(two.run_ends().await.state, RunState::Succeeded);
    for id in &messages {
        let message = ends(&two.store, id, MessageState::Sent).await;
        assert_eq!(message.attempt, 1, "the repetition is no attempt of its own: {message:?}");
    }
    assert_eq!(rules.map(|rule| two.world.struck(rule)), [CALLERS; 2]);
    assert_eq!(two.world.requests(Call::StableToken), 1);
    assert_eq!(two.world.requests(Call::UserInfoBatchget), 2 * CALLERS);
    assert_eq!(two.world.requests(Call::TemplateSend), 2 * CALLERS);
    assert_eq!(two.world.sent_messages().len() as u64, CALLERS);
    two.bridge.assert_mirrors(&two.world).await;
    two.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_token_that_dies_while_both_are_at_work_is_replaced_once(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let two = Two::on(&database).await;
    let old = two.token(&two.syncing).await;
    // The ninth batch finds it dead, and so do all calls after it: the other service's, too.
    let rule = two.world.fail(Call::UserInfoBatchget, 9, Fault::TokenDead);
    let mut messages = two.begin().await;
    until("its death", || two.world.struck(rule) == 1).await;
    messages.extend(two.queue().await);
    assert_eq!(two.run_ends().await.state, RunState::Succeeded);
    for id in &messages {
        ends(&two.store, id, MessageState::Sent).await;
    }
    assert_eq!(two.world.struck(rule), 1);
    assert_eq!(two.world.requests(Call::StableToken), 1);
    let stats = two.world.stats();
    for (call, calls) in [(Call::UserInfoBatchget, CALLERS), (Call::TemplateSend, 2 * CALLERS)] {
        let refused = stats.errors(call, 40001);
        // The other service may learn of the next token before it has called with the old one.
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
async fn a_token_that_is_always_refused_costs_two_refreshes_in_all_and_then_both_wait(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let two = Two::on(&database).await;
    let token = two.token(&two.syncing).await;
    for call in [Call::UserInfoBatchget, Call::TemplateSend] {
        two.world.fail(call, When::Always, Fault::Errcode(40001));
    }
    let messages = two.begin().await;
    let run = two.run_ends().await;
    assert_eq!(run.state, RunState::Paused);
    for id in &messages {
        becomes(&two.store, id, |message| !message.attempts.is_empty()).await;
    }
    // Who starts anew asks for no more.
    let sync = two.bridge.run(&["sync"]).await;
    assert_eq!(sync.status.code(), Some(75), "{}", talk(&sync));
    assert!(talk(&sync).contains("hint: another system"), "{}", talk(&sync));
    assert!((1..=2).contains(&two.world.requests(Call::StableToken)));
    // A forced refresh would have given another.
    assert_eq!(two.token(&two.sending).await, token);
    assert_eq!(two.world.sent_messages().len(), 0);

    // The other system was found and stopped, and an operator says so.
    two.world.clear_faults();
    let appid = two.world.main().appid().to_owned();
    two.bridge.json(&["token", "refresh", &appid]).await;
    let sync = two.bridge.run(&["sync"]).await;
    assert_eq!(sync.status.code(), Some(0), "{}", talk(&sync));
    two.bridge.assert_mirrors(&two.world).await;
    let said = two.stop().await;
    assert!(said.contains("another system may be refreshing this AppID's token"), "{said}");
}

/// The command's own refresh, which WeChat has answered while it was stopped for longer than its lease.
async fn stopped_in_its_refresh(bridge: &Bridge, world: &Sandbox, store: &Store) -> Child {
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
async fn of_two_refreshes_in_two_processes_the_newest_token_stands_for_everybody(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let two = Two::on(&database).await;
    let old = two.token(&two.syncing).await;
    let slow = stopped_in_its_refresh(&two.bridge, &two.world, &two.store).await;
    let appid = two.world.main().appid().to_owned();
    let newest = two.bridge.json(&["token", "refresh", &appid, "--force"]).await;
    let newest = newest["access_token"].as_str().unwrap().to_owned();
    assert_ne!(newest, old);

    // The older answer arrives last.
    signal(&slow, "CONT");
    let output = slow.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["access_token"], newest.as_str());
    assert_eq!(two.bridge.json(&["token", "show", &appid]).await["access_token"], newest.as_str());

    // Both services have the old one in memory, which WeChat accepts no more: no refresh of their own.
    let messages = two.begin().await;
    assert_eq!(two.run_ends().await.state, RunState::Succeeded);
    for id in &messages {
        ends(&two.store, id, MessageState::Sent).await;
    }
    for serving in [&two.syncing, &two.sending] {
        assert_eq!(two.token(serving).await, newest);
    }
    assert_eq!(two.world.requests(Call::StableToken), 2);
    two.bridge.assert_mirrors(&two.world).await;
    two.stop().await;
}
