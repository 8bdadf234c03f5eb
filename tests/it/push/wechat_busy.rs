//! T12 for messages: WeChat is busy, out of quota, or refuses the account. Messages wait and are sent once.

use std::time::{Duration, Instant};

use chrono::DateTime;
use rstest::rstest;
use unionid_bridge::clock::Clock;
use unionid_bridge::model::{AppId, MessageState};
use unionid_bridge::sandbox::{Call, Fault, OfficialAccount, Options, Sandbox, Target, When};
use unionid_bridge::store::accounts;
use unionid_bridge::store::push_pace::{self, Pace};
use unionid_bridge::wechat::next_renewal;

use crate::harness::{Backend, TestApp, until};

const OTHER: &str = "wx0a00000000000002";

/// The shortest hold of an account that WeChat refuses.
const HOLD: Duration = Duration::from_millis(500);

/// A sandbox with two Official Accounts.
async fn two_accounts() -> Sandbox {
    let mut options = Options::with_followers(20);
    let secret = "5a5d0b0c0a11ce0000000000000000a2";
    options.official_accounts.push(OfficialAccount::new("other", OTHER, secret, 20));
    Sandbox::start(options).await.unwrap()
}

fn only(appid: &AppId) -> Target {
    Target { call: Some(Call::TemplateSend), appid: Some(appid.to_string()) }
}

async fn pace(app: &TestApp) -> Pace {
    let reader = app.app.store.reader();
    let account = accounts::find(reader, &app.account.appid).await.unwrap().unwrap();
    push_pace::find(reader, account).await.unwrap().unwrap_or_default()
}

/// Waits up to 30 s until the account is held, or no longer held.
async fn wait_for_hold(app: &TestApp, is_held: bool) -> Pace {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = pace(app).await;
        if found.held_reason.is_some() == is_held {
            return found;
        }
        assert!(Instant::now() < deadline, "the pace is still {found:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[rstest]
#[case::busy(Fault::Errcode(-1), 0.5)]
#[case::rate_limited(Fault::Errcode(45011), 0.3)]
#[case::failing_gateway(Fault::HttpStatus(502), 0.5)]
#[case::reset_before_processing(Fault::Disconnect, 0.5)]
#[case::reset_after_processing(Fault::AnswerLost, 0.5)]
#[tokio::test]
async fn every_message_is_sent_once_despite_failures(
    #[case] fault: Fault,
    #[case] chance: f64,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(40).await.unwrap();
    let fast = "[push]\nrate_per_second = 1000";
    let Some(app) = TestApp::configured(&world, backend, fast).await else { return };
    let rule = world.fail(Call::TemplateSend, When::Chance(chance), fault);
    let ids = app.queue(&world.main(), 0..40).await;
    let _worker = app.worker();
    let mut attempts = 0;
    for id in &ids {
        let message = app.wait_for_state(id, MessageState::Sent).await;
        assert_eq!(message.attempts.len(), message.attempt as usize);
        attempts += message.attempts.len();
    }
    assert!(world.hits(rule) > 0);
    assert_eq!(world.sent_messages().len(), 40);
    assert_eq!(world.requests(Call::TemplateSend), attempts as u64);
}

#[rstest]
#[tokio::test]
async fn an_exhausted_quota_holds_only_its_account_until_midnight_in_china(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = two_accounts().await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let spent = only(&app.account.appid);
    let rule = world.fail(spent, When::Always, Fault::Errcode(45009));
    let ids = app.queue(&world.main(), 0..20).await;
    let others = app.queue(&world.account(OTHER).unwrap(), 0..20).await;
    let before = Clock::system().now();
    let _worker = app.worker();
    for id in &others {
        app.wait_for_state(id, MessageState::Sent).await;
    }
    let found = wait_for_hold(&app, true).await;
    let until_at = DateTime::from_timestamp_millis(found.held_until).unwrap();
    let renewals = [before, Clock::system().now()].map(next_renewal);
    let late = renewals.map(|renewal| (until_at - renewal).num_milliseconds());
    assert!(late.iter().any(|late| (0..=100).contains(late)), "{until_at} {renewals:?}");
    assert!(found.held_reason.unwrap().starts_with("quota_spent: 45009"));
    // Messages already in flight are refused too. Nothing else is tried.
    for id in &ids {
        let message = app.wait_for_message(id, |message| message.sending_at.is_none()).await;
        assert!(message.state == MessageState::Queued && message.due_at.is_some(), "{message:?}");
    }
    let tried = world.hits(rule);

    // Midnight: one message is tried first, then all are sent.
    world.clear_faults();
    app.execute("UPDATE push_pace SET held_until = 1 WHERE held_until > 1").await;
    for id in &ids {
        app.wait_for_state(id, MessageState::Sent).await;
    }
    assert_eq!(wait_for_hold(&app, false).await.held_until, 0);
    assert_eq!(world.sent_messages().len(), 40);
    assert_eq!(world.requests(Call::TemplateSend), 40 + tried);
}

#[rstest]
#[tokio::test]
async fn a_refused_account_is_tested_with_one_message_at_a_time(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(20).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    world.main().set_unauthorized(true);
    let ids = app.queue(&world.main(), 0..20).await;
    let (_worker, began) = (app.worker(), Instant::now());
    let found = wait_for_hold(&app, true).await;
    assert!(found.held_reason.unwrap().starts_with("account_refused: 48001"));
    // The messages in flight were all refused. Since then, one is tried at a time.
    until("three more to be refused", || world.requests(Call::TemplateSend) >= 23).await;
    let (tried, seconds) = (world.requests(Call::TemplateSend), began.elapsed().as_secs_f64());
    assert!(tried as f64 <= 21.0 + seconds / HOLD.as_secs_f64(), "{tried} in {seconds} s");
    world.main().set_unauthorized(false);
    for id in &ids {
        app.wait_for_state(id, MessageState::Sent).await;
    }
    assert_eq!(wait_for_hold(&app, false).await.held_until, 0);
    assert_eq!(world.sent_messages().len(), 20);
}

#[rstest]
#[tokio::test]
async fn a_message_is_not_sent_and_not_unknown_without_a_token(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(1).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    world.main().refuse_address(true);
    let id = app.queue(&world.main(), [0]).await.remove(0);
    let _worker = app.worker();
    let found = wait_for_hold(&app, true).await;
    assert!(found.held_reason.unwrap().starts_with("account_refused: 40164"));
    let message = app.wait_for_message(&id, |message| !message.attempts.is_empty()).await;
    assert_eq!((message.state, message.first_sent_at), (MessageState::Queued, None));
    world.main().refuse_address(false);
    app.wait_for_state(&id, MessageState::Sent).await;
    assert_eq!(world.requests(Call::TemplateSend), 1);
}

#[rstest]
#[tokio::test]
async fn an_invalidated_token_is_replaced_and_the_message_sent(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(2).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let _worker = app.worker();
    for person in 0..2 {
        let id = app.queue(&world.main(), [person]).await.remove(0);
        let message = app.wait_for_state(&id, MessageState::Sent).await;
        assert_eq!(message.attempts.len(), 1);
        world.main().invalidate_tokens();
    }
    until("both", || world.sent_messages().len() == 2).await;
}
