//! Token refresh: once for all processes, never back to an older token, never discarding a valid one.

use std::time::Duration;

use rstest::rstest;
use sea_orm::EntityTrait;
use sea_orm::sea_query::Expr;
use unionid_bridge::sandbox::{Call, Fault, Sandbox, When};

use crate::harness::{Backend, TestApp, paged_world};

/// Waits until a call was made `times` times.
async fn wait_for_calls(world: &Sandbox, call: Call, times: u64) {
    while world.requests(call) < times {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Makes the stored token expire in `seconds`, as if it had been fetched long ago.
async fn age_token(app: &TestApp, seconds: i64) {
    use entity::access_token::{Column, Entity};
    let now = app.app.store.now().await.unwrap();
    Entity::update_many()
        .col_expr(Column::ObtainedAt, Expr::value(now - (7_200 - seconds) * 1_000))
        .col_expr(Column::ExpiresAt, Expr::value(now + seconds * 1_000))
        .exec(app.app.store.writer())
        .await
        .unwrap();
}

async fn token(app: &TestApp) -> String {
    app.app.tokens.show(&app.account.appid).await.unwrap().access_token
}

#[rstest]
#[tokio::test]
async fn the_newest_token_wins_if_two_refreshes_race(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 1_000).await;
    let Some(slow) = TestApp::on(&world, backend).await else { return };
    let fast = slow.replica(&world).await;
    world.fail(Call::StableToken, 1, Fault::Stall(Duration::from_millis(800)));
    let appid = slow.account.appid.clone();
    let (older, newer) = tokio::join!(
        // WeChat issues the token at once, but the answer is delayed.
        slow.app.tokens.show(&appid),
        async {
            wait_for_calls(&world, Call::StableToken, 1).await;
            // The first process has slept for longer than its lease.
            entity::lease::Entity::update_many()
                .col_expr(entity::lease::Column::ExpiresAt, Expr::value(0_i64))
                .exec(fast.app.store.writer())
                .await
                .unwrap();
            fast.app.tokens.refresh(&appid, true).await.unwrap()
        }
    );
    assert_eq!(world.requests(Call::StableToken), 2);
    assert_eq!(older.unwrap().access_token, newer.access_token);
    assert_eq!(token(&slow).await, newer.access_token);
    assert_eq!(token(&slow.replica(&world).await).await, newer.access_token);
    slow.sync_true(&world).await;
    assert_eq!(world.stats().errors(Call::UserGet, 40001), 0);
    assert_eq!(world.requests(Call::StableToken), 2);
}

#[rstest]
#[case::failing_gateway(Fault::HttpStatus(502))]
#[case::broken_connection(Fault::Disconnect)]
#[case::quota_exhausted(Fault::Errcode(45009))]
#[case::html(Fault::Html)]
#[tokio::test]
async fn a_failed_refresh_keeps_a_token_that_still_works(#[case] fault: Fault) {
    let world = paged_world(500, 1_000).await;
    let first = TestApp::against(&world).await;
    let old = token(&first).await;
    age_token(&first, 200).await;
    world.fail(Call::StableToken, When::Always, fault);
    let app = first.replica(&world).await;
    app.sync_true(&world).await;
    assert_eq!(token(&app).await, old);
    // One attempt with its retries, then a pause: not one for each call of the run.
    let refreshes = world.requests(Call::StableToken) - 1;
    assert!((1..=6).contains(&refreshes), "{refreshes}");
}

#[tokio::test]
async fn a_token_close_to_expiry_is_refreshed_by_the_next_process() {
    let world = paged_world(500, 1_000).await;
    let first = TestApp::against(&world).await;
    token(&first).await;
    age_token(&first, 200).await;
    world.main().invalidate_tokens();
    let app = first.replica(&world).await;
    app.sync_true(&world).await;
    assert_eq!(world.requests(Call::StableToken), 2);
    assert_eq!(world.stats().errors(Call::UserGet, 40001), 0);
}

/// The next caller gets WeChat's answer, or refreshes after the timeout if there is none.
#[rstest]
#[case::slow_response(2, 1)]
#[case::no_response(30, 2)]
#[tokio::test]
async fn a_refresh_continues_after_its_caller_is_cancelled(
    #[case] stall_seconds: u64,
    #[case] calls: u64,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 1_000).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    world.fail(Call::StableToken, 1, Fault::Stall(Duration::from_secs(stall_seconds)));
    tokio::select! {
        token = token(&app) => panic!("got a token without an answer: {} bytes", token.len()),
        () = wait_for_calls(&world, Call::StableToken, 1) => {}
    }
    // A call times out after 10 s. The lease of its process would last 20 s.
    let next = tokio::time::timeout(Duration::from_secs(15), token(&app)).await;
    assert!(next.is_ok());
    app.sync_true(&world).await;
    assert_eq!(world.requests(Call::StableToken), calls);
}

#[tokio::test]
async fn the_next_process_reads_the_token_from_the_database() {
    let world = paged_world(500, 1_000).await;
    let first = TestApp::against(&world).await;
    first.sync_true(&world).await;
    let next = first.replica(&world).await;
    next.sync_true(&world).await;
    assert_eq!(world.requests(Call::StableToken), 1);
}
