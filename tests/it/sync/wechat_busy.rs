//! WeChat is out of quota, busy, or unreachable: the run waits or continues, and loses nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, Days, NaiveTime, Utc};
use rstest::rstest;
use tokio_util::task::AbortOnDropHandle;
use unionid_bridge::clock::Clock;
use unionid_bridge::model::RunState;
use unionid_bridge::sandbox::{Call, Fault, Options, Sandbox, Target, When};
use unionid_bridge::wechat::ConcurrencyLimit;

use crate::harness::{Backend, TestApp, assert_calls, full, paged_world};

/// Returns the next midnight in UTC+8: 16:00 UTC today or tomorrow.
fn reset_after(now: DateTime<Utc>) -> DateTime<Utc> {
    let reset = now.date_naive().and_time(NaiveTime::from_hms_opt(16, 0, 0).unwrap()).and_utc();
    if reset > now { reset } else { reset + Days::new(1) }
}

#[rstest]
#[case::of_profiles(Call::UserInfoBatchget, 7)]
#[case::of_pages(Call::UserGet, 4)]
#[tokio::test]
async fn an_exhausted_quota_pauses_the_run_until_midnight_in_china(
    #[case] call: Call,
    #[case] limit: u64,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(200, 1_200).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    world.main().leave(0..30);
    app.sync_true(&world).await;
    world.main().leave(30..60);
    world.main().rejoin(0..30);
    world.reset_stats();
    world.main().set_quota(call, Some(limit));
    world.main().reset_quotas();

    let before = Clock::system().now();
    let paused = app.try_sync(full()).await.unwrap().run;
    assert_eq!(paused.state, RunState::Paused, "{paused:?}");
    let resume_at = paused.resume_at.unwrap();
    assert!([before, Clock::system().now()].map(reset_after).contains(&resume_at), "{resume_at}");
    assert!(paused.error.unwrap().contains("45009"));
    assert!((1..=4).contains(&paused.counts.pages), "{:?}", paused.counts);
    let left = world.main().person(30).openid;
    assert!(app.mirror().await[&left].1, "a partial crawl marked a follower as left");

    world.main().set_quota(call, None);
    let run = app.sync_true(&world).await;
    assert_eq!((run.id, run.counts.pages, run.counts.unfollowed), (paused.id, 6, 30));
    assert_eq!(run.resumed_at_page, Some(paused.counts.pages + 1));
    assert_eq!(run.counts.fetched, 1_170);
    for clearing in [Call::ClearQuota, Call::ClearQuotaV2] {
        assert_eq!(world.requests(clearing), 0);
    }
    let refused = world.stats().errors(call, 45009);
    // Two probes, and the calls for pages that were fetched but not committed are repeated.
    let slack = 2 + 16 + refused;
    assert_calls(&world, Call::UserInfoBatchget, 12, slack);
    assert_calls(&world, Call::UserGet, 7, 4 + refused);
}

#[rstest]
#[case::busy(Fault::Errcode(-1))]
#[case::rate_limited(Fault::Errcode(45011))]
#[case::rate_limited_with_errcode_as_text(Fault::ErrcodeAsText(45011))]
#[case::failing_gateway(Fault::HttpStatus(502))]
#[case::connection_reset(Fault::Disconnect)]
#[case::response_lost(Fault::AnswerLost)]
#[case::response_cut(Fault::Cut)]
#[tokio::test]
async fn a_run_succeeds_despite_a_burst_of_failures(#[case] fault: Fault) {
    let world = paged_world(500, 3_000).await;
    let app = TestApp::against(&world).await;
    let rules = [
        world.fail(Call::UserInfoBatchget, 5..=12, fault.clone()),
        world.fail(Call::UserGet, 3..=4, fault.clone()),
        world.fail(Call::StableToken, 1, fault),
    ];
    let run = app.sync_true(&world).await;
    assert_eq!(rules.map(|rule| world.hits(rule)), [8, 2, 1]);
    assert_eq!(run.counts.fetched, 3_000);
    assert_calls(&world, Call::UserInfoBatchget, 38, 0);
    assert_calls(&world, Call::UserGet, 9, 0);
    assert_calls(&world, Call::StableToken, 2, 0);
}

#[rstest]
#[case(Fault::OneByteChunks)]
#[case(Fault::Stall(Duration::from_millis(30)))]
#[case(Fault::StallMid(Duration::from_millis(30)))]
#[tokio::test]
async fn a_slow_response_is_awaited(#[case] fault: Fault) {
    let world = paged_world(20, 60).await;
    let app = TestApp::against(&world).await;
    world.fail(Target::default(), When::Always, fault);
    let run = app.sync_true(&world).await;
    assert_eq!(run.counts.fetched, 60);
    assert_calls(&world, Call::UserGet, 4, 0);
    assert_calls(&world, Call::UserInfoBatchget, 1, 0);
}

#[rstest]
#[case(Call::UserGet, Fault::Errcode(-1))]
#[case(Call::UserInfoBatchget, Fault::HttpStatus(502))]
#[case(Call::UserInfoBatchget, Fault::Cut)]
#[tokio::test]
async fn an_outage_pauses_the_run_and_the_next_start_completes_it(
    #[case] call: Call,
    #[case] fault: Fault,
) {
    let world = paged_world(500, 1_000).await;
    let app = TestApp::against(&world).await;
    let rule = world.fail(call, 2.., fault);
    let paused = app.sync().await.run;
    assert_eq!(paused.state, RunState::Paused, "{paused:?}");
    let wait = paused.resume_at.unwrap() - Clock::system().now();
    assert!((1..=5).contains(&wait.num_minutes()), "{wait}");
    // At most six attempts for each call in flight.
    assert!((6..=6 * 16).contains(&world.hits(rule)), "{}", world.hits(rule));
    world.clear_faults();
    assert_eq!(app.sync_true(&world).await.id, paused.id);
}

#[tokio::test]
async fn failures_reduce_concurrency_and_successes_restore_it() {
    let options = Options { page_size: 100, ..Options::with_followers(1_000) };
    let options = options.latency(Call::UserInfo, Duration::from_millis(4));
    let world = Sandbox::start(options).await.unwrap();
    let toml = "[sync]\nprofile_api = 'info'\nconcurrency = 16";
    let app = TestApp::configured(&world, Backend::Sqlite, toml).await.unwrap();
    // 16 concurrent calls fail, then 8, 4 and 2. From a limit of 1, 120 successes lead back to 16.
    world.fail(Call::UserInfo, 300..=360, Fault::HttpStatus(502));

    let (concurrency, lowest) = (ConcurrencyLimit::new(16), Arc::new(AtomicUsize::new(16)));
    let (watched, minimum) = (concurrency.clone(), lowest.clone());
    let watch = AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            minimum.fetch_min(watched.limit(), Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }));
    let outcome = app.sync_through(&world, concurrency.clone()).await;
    drop(watch);
    assert_eq!(outcome.run.state, RunState::Succeeded, "{outcome:?}");
    app.assert_mirrors(&world).await;
    assert_calls(&world, Call::UserInfo, 1_000 + 61, 0);
    let lowest = lowest.load(Ordering::SeqCst);
    assert!(lowest <= 8, "the limit never fell below {lowest}");
    assert_eq!(concurrency.limit(), 16);
    assert_eq!(world.stats().calls["user/info"].peak_in_flight, 16);
}
