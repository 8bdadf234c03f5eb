//! A token that WeChat refuses is replaced once for all processes, and each call is repeated once.

use std::time::Duration;

use chrono::{TimeZone, Utc};
use futures::future::join_all;
use rstest::rstest;
use tokio_util::sync::CancellationToken;
use unionid_bridge::clock::Clock;
use unionid_bridge::model::{OpenId, RunState};
use unionid_bridge::sandbox::{Call, Fault, Options, Sandbox, When};

use crate::harness::{Backend, TestApp, assert_calls};

/// The number of calls in flight on each of two replicas.
const CALLERS: usize = 16;

/// Fetches a hundred profiles in all callers at once; all calls must succeed.
async fn fetch_at_once(replicas: &[&TestApp], world: &Sandbox) {
    let openids: Vec<OpenId> =
        world.main().followers().take(100).map(|person| person.openid.parse().unwrap()).collect();
    let fetching = replicas.iter().map(async |replica| {
        let job = replica.job(CancellationToken::new()).await;
        let calls = (0..CALLERS).map(|_| job.wechat.profiles(&openids));
        for answer in join_all(calls).await {
            assert_eq!(answer.unwrap().len(), openids.len());
        }
    });
    join_all(fetching).await;
}

async fn slow_world() -> Sandbox {
    let options = Options { page_size: 500, ..Options::with_followers(3_000) };
    let options = options.latency(Call::UserInfoBatchget, Duration::from_millis(20));
    Sandbox::start(options).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn replicas_that_start_together_fetch_one_token(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = slow_world().await;
    let Some(first) = TestApp::on(&world, backend).await else { return };
    let second = first.replica(&world).await;
    fetch_at_once(&[&first, &second], &world).await;
    assert_eq!(world.requests(Call::StableToken), 1);
}

#[rstest]
#[case(40001, Backend::Sqlite)]
#[case(40014, Backend::Sqlite)]
#[case(42001, Backend::Sqlite)]
#[case(40001, Backend::Postgres)]
#[case(42001, Backend::Mysql)]
#[tokio::test]
async fn concurrent_token_refusals_cause_one_refresh_and_one_retry_each(
    #[case] errcode: i64,
    #[case] backend: Backend,
) {
    let options = Options::with_followers(100);
    let options = options.latency(Call::UserInfoBatchget, Duration::from_millis(300));
    let world = Sandbox::start(options).await.unwrap();
    let Some(first) = TestApp::on(&world, backend).await else { return };
    let second = first.replica(&world).await;
    first.app.tokens.show(&first.account.appid).await.unwrap();
    world.reset_stats();
    let calls = 2 * CALLERS as u64;
    // All calls have begun before the first refusal is answered, so no repetition is refused.
    world.fail(Call::UserInfoBatchget, 1..=calls, Fault::Errcode(errcode));
    fetch_at_once(&[&first, &second], &world).await;
    assert_eq!(world.requests(Call::StableToken), 1);
    assert_eq!(world.requests(Call::UserInfoBatchget), 2 * calls);
}

#[rstest]
#[tokio::test]
async fn a_token_invalidated_during_a_run_is_replaced_once_for_both_replicas(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = slow_world().await;
    let Some(first) = TestApp::on(&world, backend).await else { return };
    let second = first.replica(&world).await;
    second.app.tokens.show(&second.account.appid).await.unwrap();
    world.reset_stats();
    let rule = world.fail(Call::UserInfoBatchget, 20, Fault::TokenDead);
    let others = [&second];
    let (run, ()) = tokio::join!(first.sync_true(&world), fetch_at_once(&others, &world));
    assert_eq!(world.hits(rule), 1);
    assert_eq!(run.counts.fetched, 3_000);
    assert_eq!(world.requests(Call::StableToken), 1);
    let refused = world.stats().errors(Call::UserInfoBatchget, 40001);
    assert_eq!(world.requests(Call::UserInfoBatchget), 30 + CALLERS as u64 + refused);
}

#[tokio::test]
async fn a_token_that_expires_during_a_run_is_replaced_once() {
    let clock = Clock::manual(Utc.with_ymd_and_hms(2026, 3, 1, 3, 0, 0).unwrap());
    let options =
        Options { page_size: 100, clock: clock.clone(), ..Options::with_followers(6_000) };
    let world = Sandbox::start(options).await.unwrap();
    let app = TestApp::against(&world).await;
    let outcome = app
        .sync_observed(move |run| {
            if run.counts.pages == 2 {
                clock.advance(Duration::from_secs(7_200));
            }
        })
        .await;
    assert_eq!(outcome.run.state, RunState::Succeeded, "{outcome:?}");
    app.assert_mirrors(&world).await;
    let stats = world.stats();
    let refused = stats.errors(Call::UserInfoBatchget, 42001) + stats.errors(Call::UserGet, 42001);
    assert!(refused > 0);
    assert_eq!(world.requests(Call::StableToken), 2);
    assert_eq!(
        stats.requests(Call::UserInfoBatchget) + stats.requests(Call::UserGet),
        60 + 61 + refused
    );
}

#[rstest]
#[tokio::test]
async fn a_repeatedly_refused_token_pauses_the_run_after_two_refreshes(
    #[values(Fault::TokenJammed, Fault::Errcode(40001))] fault: Fault,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = slow_world().await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.app.tokens.show(&app.account.appid).await.unwrap();
    world.reset_stats();
    world.fail(Call::UserInfoBatchget, When::Always, fault);
    for _ in 0..4 {
        let outcome = app.sync().await;
        assert_eq!(outcome.run.state, RunState::Paused, "{outcome:?}");
        let hint = outcome.error.unwrap().hint().unwrap();
        assert!(hint.contains("another system"), "{hint}");
    }
    assert!((1..=2).contains(&world.requests(Call::StableToken)));

    // The other system was found and stopped.
    world.clear_faults();
    world.main().invalidate_tokens();
    app.app.tokens.refresh(&app.account.appid, false).await.unwrap();
    let run = app.sync_true(&world).await;
    assert_eq!(run.counts.fetched, 3_000);
    assert_calls(&world, Call::StableToken, 1, 2);
}
