//! T25: WeChat may have accepted a message, but the answer is lost. The message is `unknown`, and is sent
//! again only while WeChat suppresses a second copy.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use rstest::rstest;
use unionid_bridge::model::{MessageState, Reason};
use unionid_bridge::sandbox::{Call, Fault, Permission, Sandbox, When};

use crate::harness::{
    Backend, Bridge, ServeProcess, TestApp, TestDatabase, message, new_message, new_route, queue,
    until, wait_for_message, wait_for_state,
};

fn lost() -> Option<String> {
    Some(Reason::AnswerLost.to_string())
}

#[rstest]
#[tokio::test]
async fn a_message_is_unknown_after_a_kill_before_commit_until_resent(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let world = Sandbox::with_followers(1).await.unwrap();
    let store = database.store().await;
    let bridge = Bridge::on(&world, &database.url, "");
    let route = new_route(&store, &world.main(), 0).await;
    let id = queue(&store, &[new_message(route, None)]).await.remove(0);

    let mut serve = bridge.command(&["serve", "--listen", "127.0.0.1:0"]);
    let mut child = serve.env("FAILPOINTS", "push.accepted=return").spawn().unwrap();
    assert_eq!(child.wait().await.unwrap().signal(), Some(9));
    assert_eq!(world.sent_messages().len(), 1);
    let left = message(&store, &id).await;
    assert_eq!((left.state, left.attempt, left.msgid), (MessageState::Queued, 1, None));
    assert!(left.sending_at.is_some() && left.first_sent_at == left.sending_at);

    // The claim ends while WeChat is too busy to answer.
    let busy = world.fail(Call::TemplateSend, When::Always, Fault::Errcode(-1));
    end_claims(&store).await;
    let serve = ServeProcess::start(&bridge).await;
    let unknown = wait_for_message(&store, &id, |message| message.attempts.len() > 1).await;
    assert_eq!((unknown.state, unknown.reason), (MessageState::Unknown, lost()));
    assert_eq!(unknown.first_sent_at, left.first_sent_at);
    until("more attempts", || world.hits(busy) > 1).await;
    world.clear_faults();
    let sent = wait_for_state(&store, &id, MessageState::Sent).await;
    assert_eq!(
        (sent.reason, sent.msgid),
        (None, None),
        "WeChat reports a duplicate without a msgid"
    );
    assert_eq!(world.stats().errors(Call::TemplateSend, 40241), 1);
    assert_eq!(world.sent_messages().len(), 1);
    assert_eq!(serve.stop().await.0, Some(0));
    store.close().await.unwrap();
}

async fn end_claims(store: &unionid_bridge::store::Store) {
    use sea_orm::ConnectionTrait;
    let ended = "UPDATE message SET due_at = 1 WHERE due_at > 0";
    store.writer().execute_unprepared(ended).await.unwrap();
}

/// Makes messages look like those of a process that died while sending them, `seconds` ago.
async fn abandon_claims(app: &TestApp, seconds: i64) {
    let at = app.app.store.now().await.unwrap() - seconds * 1_000;
    app.execute(&format!(
        "UPDATE message SET attempt = 1, due_at = 1, sending_at = {at}, first_sent_at = {at}"
    ))
    .await;
}

#[rstest]
#[case::within_the_window(530, 1)]
#[case::after_the_window(550, 0)]
#[tokio::test]
async fn a_message_is_resent_only_within_wechats_duplicate_window(
    #[case] seconds: i64,
    #[case] sends: usize,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(1).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let id = app.queue(&world.main(), [0]).await.remove(0);
    abandon_claims(&app, seconds).await;
    let _worker = app.worker();
    let state = if sends == 1 { MessageState::Sent } else { MessageState::Unknown };
    let message = app.wait_for_state(&id, state).await;
    assert_eq!(message.attempts[0].outcome, "answer_lost");
    assert_eq!(message.sending_at, None);
    assert_eq!(world.sent_messages().len(), sends);
    // The account's queue continues.
    let next = app.queue(&world.main(), [0]).await.remove(0);
    app.wait_for_state(&next, MessageState::Sent).await;
    assert_eq!(world.requests(Call::TemplateSend), sends as u64 + 1);
    assert_eq!(app.message(&id).await.state, state);
}

#[rstest]
#[tokio::test]
async fn a_subscribe_message_that_may_have_arrived_is_never_resent(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(1).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let program = world.mini_program().unwrap();
    program.grant(0, &program.template_ids()[0], Permission::Always);
    let abandoned_one = app.queue(&program, [0]).await.remove(0);
    abandon_claims(&app, 5).await;
    world.fail(Call::SubscribeSend, 1, Fault::AnswerLost);
    let lost_one = app.queue(&program, [0]).await.remove(0);
    let _worker = app.worker();
    for id in [&abandoned_one, &lost_one] {
        let message = app.wait_for_state(id, MessageState::Unknown).await;
        assert_eq!(message.reason, lost());
    }
    let sent = app.queue(&program, [0]).await.remove(0);
    assert!(app.wait_for_state(&sent, MessageState::Sent).await.msgid.is_some());
    assert_eq!(world.requests(Call::SubscribeSend), 2);
    assert_eq!(world.sent_messages().len(), 2);
}

#[rstest]
#[case::connection_reset(Fault::AnswerLost)]
#[case::response_cut(Fault::Cut)]
#[case::truncated_json(Fault::Truncated)]
#[case::html(Fault::Html)]
#[case::empty_body(Fault::EmptyBody)]
#[tokio::test]
async fn a_message_with_a_lost_response_is_delivered_once(
    #[case] fault: Fault,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(1).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    assert_sent_once_despite(&app, &world, fault).await;
}

#[tokio::test]
async fn a_message_with_a_late_response_is_delivered_once() {
    let world = Sandbox::with_followers(1).await.unwrap();
    let app = TestApp::against(&world).await;
    assert_sent_once_despite(&app, &world, Fault::Stall(Duration::from_secs(11))).await;
}

/// Applies a fault to the answers of the first two attempts.
async fn assert_sent_once_despite(app: &TestApp, world: &Sandbox, fault: Fault) {
    world.fail(Call::TemplateSend, 1..=2, fault);
    let id = app.queue(&world.main(), [0]).await.remove(0);
    let _worker = app.worker();
    let message = app.wait_for_state(&id, MessageState::Sent).await;
    assert_eq!(message.attempts[0].outcome, "answer_lost");
    assert!(message.attempts[0].errmsg.is_some(), "{message:?}");
    assert_eq!((world.sent_messages().len(), world.requests(Call::TemplateSend)), (1, 3));
    assert_eq!(message.attempts.len(), 3, "{message:?}");
}

#[tokio::test]
async fn a_message_that_may_have_arrived_is_not_sent_to_its_fallback() {
    let world = Sandbox::with_followers(1).await.unwrap();
    let app = TestApp::against(&world).await;
    let (main, program) = (world.main(), world.mini_program().unwrap());
    program.grant(0, &program.template_ids()[0], Permission::Always);
    world.fail(Call::TemplateSend, 1, Fault::AnswerLost);
    let refusing = world.fail(Call::TemplateSend, When::Always, Fault::Errcode(43101));
    let id = app.queue_with_fallback(&main, &program, 0).await;
    let _worker = app.worker();
    let message = app.wait_for_state(&id, MessageState::Unknown).await;
    assert_eq!(message.reason, lost());
    assert_eq!((world.hits(refusing), message.attempts.len()), (1, 2));
    // WeChat accepted the first attempt, and the person has the message.
    assert_eq!((world.sent_messages().len(), world.requests(Call::SubscribeSend)), (1, 0));
}

#[rstest]
#[tokio::test]
async fn a_known_msgid_is_kept_when_wechat_reports_a_duplicate(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(1).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let id = app.queue(&world.main(), [0]).await.remove(0);
    abandon_claims(&app, 5).await;
    // A late answer contained the msgid.
    app.execute("UPDATE message SET msgid = 77").await;
    world.fail(Call::TemplateSend, 1, Fault::Errcode(40241));
    let _worker = app.worker();
    let sent = app.wait_for_state(&id, MessageState::Sent).await;
    assert_eq!(sent.msgid, Some(77));
    assert_eq!(sent.attempts.last().unwrap().outcome, "accepted");
}

/// A message that WeChat refused because of the token was not sent. It waits for the next token and is then
/// tried again, whether it is a template or a subscribe message.
#[rstest]
#[tokio::test]
async fn a_message_refused_for_its_token_is_retried_and_not_unknown(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(1).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let program = world.mini_program().unwrap();
    program.grant(0, &program.template_ids()[0], Permission::Always);
    let _worker = app.worker();
    let before = app.queue(&program, [0]).await.remove(0);
    app.wait_for_state(&before, MessageState::Sent).await;
    program.invalidate_tokens();
    let slow = world.fail(Call::StableToken, 1, Fault::Stall(Duration::from_secs(7)));
    let id = app.queue(&program, [0]).await.remove(0);
    until("the refusal", || world.hits(slow) == 1).await;
    let sent = app.wait_for_state(&id, MessageState::Sent).await;
    assert_eq!((sent.attempts.len(), sent.attempt), (1, 1), "{sent:?}");
    // It was released as unsent and claimed again.
    assert!(sent.first_sent_at.unwrap() >= sent.accepted_at + 4_900, "{sent:?}");
    assert_eq!(world.sent_messages().len(), 2);
    // The slow token call was awaited, not repeated.
    assert_eq!(world.requests(Call::StableToken), 2);
}
