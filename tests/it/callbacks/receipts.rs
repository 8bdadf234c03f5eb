//! T26: a receipt ends its message once, whether it arrives in time, early, late, or repeatedly.

use rstest::rstest;
use sea_orm::EntityTrait;
use sea_orm::sea_query::Expr;
use unionid_bridge::model::MessageState::{Delivered, Failed, Queued, Sent, Unknown};
use unionid_bridge::model::{MessageId, MessageState};
use unionid_bridge::sandbox::{Account, Event};
use unionid_bridge::store::receipts::{self, Receipt};

use crate::harness::{Backend, TestApp, account_id, calling_back, mark_sent, openid_of};

/// Larger than a floating-point number can represent exactly.
const MSGID: i64 = 4_000_000_000_000_000_001;

const HOUR_MS: i64 = 3_600_000;

/// Returns the current time in seconds since 1970. The sandbox uses the system clock.
fn now() -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs().cast_signed()
}

impl TestApp {
    /// Applies an early receipt, as the sender does after WeChat's answer. Returns `None` if there is none.
    async fn take_receipt(
        &self,
        account: &Account,
        id: &MessageId,
        msgid: i64,
    ) -> Option<MessageState> {
        let store = &self.app.store;
        mark_sent(store, id, Sent, Some(msgid), 0).await;
        let number = account_id(store, account).await;
        let transaction = store.begin().await.unwrap();
        let taken = receipts::take_matching(&transaction, number, msgid, id).await.unwrap();
        transaction.commit().await.unwrap();
        taken
    }
}

#[rstest]
#[case::delivered("success", Delivered, None)]
#[case::blocked("failed:user block", Failed, Some("failed:user block"))]
#[case::with_a_space("failed: system failed", Failed, Some("failed:system failed"))]
#[case::frequency_limited("failed:freq limit", Failed, Some("failed:freq limit"))]
#[case::unknown_status("cancelled", Failed, Some("cancelled"))]
#[tokio::test]
async fn a_receipt_ends_its_message_and_leaves_the_follower_unchanged(
    #[case] status: &str,
    #[case] state: MessageState,
    #[case] reason: Option<&str>,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    let main = world.main();
    let (id, other) = (app.sent(&main, 3, MSGID).await, app.sent(&main, 3, MSGID + 1).await);
    let before = app.app.store.now().await.unwrap();
    app.receive_event(&main, Event::template_sent(3, MSGID, status)).await;
    let after = app.app.store.now().await.unwrap();

    let message = app.message(&id).await;
    assert_eq!((message.state, message.reason.as_deref()), (state, reason));
    assert!((before..=after).contains(&message.finished_at.unwrap()), "{message:?}");
    assert_eq!((message.due_at, message.msgid), (None, Some(MSGID)));
    assert_eq!(app.state_and_reason(&other).await, (Sent, None));
    assert!(app.kept_receipts().await.is_empty());
    app.assert_mirrors(&world).await;
}

#[rstest]
#[tokio::test]
async fn the_first_receipt_is_final(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let main = world.main();
    let id = app.sent(&main, 3, MSGID).await;
    app.receive_event(&main, Event::template_sent(3, MSGID, "success").at(now() - 9)).await;
    let ended = app.message(&id).await;
    for status in ["success", "failed:user block", "success"] {
        app.receive_event(&main, Event::template_sent(3, MSGID, status).at(now() - 5)).await;
        assert_eq!(app.message(&id).await, ended);
    }
    // Nor does a receipt of another process that read the message before it ended.
    let ids = std::slice::from_ref(&id);
    let late = receipts::end(app.app.store.writer(), ids, "failed:user block", 1).await;
    assert_eq!((late.unwrap(), app.message(&id).await), (0, ended));
    assert!(app.kept_receipts().await.is_empty());
}

#[rstest]
#[tokio::test]
async fn an_early_receipt_is_kept_and_taken_once_by_the_sender(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let main = world.main();
    let id = app.sent_without_msgid(&main, 3, Queued, 1_000).await;
    for status in ["failed:user block", "success", "success"] {
        app.receive_event(&main, Event::template_sent(3, MSGID, status)).await;
    }
    assert_eq!(
        (app.state_and_reason(&id).await, app.kept_receipts().await),
        ((Queued, None), vec![MSGID])
    );

    assert_eq!(app.take_receipt(&main, &id, MSGID).await, Some(Failed));
    assert_eq!(app.state_and_reason(&id).await, (Failed, Some("failed:user block".to_owned())));
    assert!(app.kept_receipts().await.is_empty());
    // The sender does not find the same receipt twice.
    assert_eq!(app.take_receipt(&main, &id, MSGID).await, None);
}

#[rstest]
#[tokio::test]
async fn a_receipt_ends_a_queued_message_and_prevents_its_retry(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let main = world.main();
    let id = app.sent(&main, 3, MSGID).await;
    mark_sent(&app.app.store, &id, Queued, Some(MSGID), 1_000).await;
    app.receive_event(&main, Event::template_sent(3, MSGID, "success")).await;
    let message = app.message(&id).await;
    assert_eq!((message.state, message.due_at, message.sending_at), (Delivered, None, None));
}

#[rstest]
#[tokio::test]
async fn unmatched_receipts_are_matched_to_messages_later(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let (main, store) = (world.main(), &app.app.store);
    let number = account_id(store, &main).await;
    let mut ids = Vec::new();
    for person in 0..5_u64 {
        let msgid = MSGID + person.cast_signed();
        let id = app.sent_without_msgid(&main, person, Queued, 1_000).await;
        // Neither the receipt nor the sender finds the other.
        assert!(
            receipts::list_messages(store.reader(), number, &[msgid]).await.unwrap().is_empty()
        );
        assert_eq!(app.take_receipt(&main, &id, msgid).await, None);
        let (openid, status) = (openid_of(&main, person), "success".to_owned());
        let receipt = Receipt { account: number, msgid, openid, status };
        receipts::insert_unmatched(store.writer(), &[receipt], store.now().await.unwrap())
            .await
            .unwrap();
        ids.push(id);
    }
    assert_eq!(
        (app.state_and_reason(&ids[0]).await, app.kept_receipts().await.len()),
        ((Sent, None), 5)
    );
    let (_here, _there) =
        (app.run_profile_checks(), app.replica(&world).await.run_profile_checks());
    for id in &ids {
        app.wait_for_state(id, Delivered).await;
    }
    app.wait_for_receipts(&[]).await;
}

/// Not on SQLite, where one transaction waits for the other.
#[rstest]
#[tokio::test]
async fn a_receipt_during_the_commit_of_its_message_is_matched_later(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let (main, store) = (world.main(), &app.app.store);
    let id = app.sent_without_msgid(&main, 3, Queued, 1_000).await;
    let number = account_id(store, &main).await;

    let sending = store.begin().await.unwrap();
    let lost = receipts::LostAnswer { message: id.clone(), msgid: MSGID };
    mark_sent(store, &id, Sent, None, 1_000).await;
    receipts::record_msgid(&sending, &lost).await.unwrap();
    assert_eq!(receipts::take_matching(&sending, number, MSGID, &id).await.unwrap(), None);
    app.receive_event(&main, Event::template_sent(3, MSGID, "failed:user block")).await;
    sending.commit().await.unwrap();

    assert_eq!(
        (app.state_and_reason(&id).await, app.kept_receipts().await),
        ((Sent, None), vec![MSGID])
    );
    let _joins = app.run_profile_checks();
    app.wait_for_state(&id, Failed).await;
}

#[rstest]
#[tokio::test]
async fn a_message_without_msgid_gets_only_an_unambiguous_receipt(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(20).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let main = world.main();
    // Each person gets a receipt. Some have one message, some have another message as well.
    let alone = app.sent_without_msgid(&main, 1, Unknown, 9_000).await;
    let sent = app.sent_without_msgid(&main, 2, Sent, 9_000).await;
    app.sent(&main, 2, 77).await;
    let long_ago = app.sent_without_msgid(&main, 3, Unknown, HOUR_MS + 9_000).await;
    let later = app.sent_without_msgid(&main, 4, Unknown, -60_000).await;
    let twins = [
        app.sent_without_msgid(&main, 5, Unknown, 9_000).await,
        app.sent_without_msgid(&main, 5, Unknown, 5_000).await,
    ];
    let next_to_one_in_flight = app.sent_without_msgid(&main, 6, Unknown, 9_000).await;
    app.sent_without_msgid(&main, 6, Queued, 1_000).await;
    let queued = app.sent_without_msgid(&main, 7, Queued, 9_000).await;
    let with_two_receipts = app.sent_without_msgid(&main, 8, Unknown, 9_000).await;
    for person in 1..=8 {
        app.receive_event(
            &main,
            Event::template_sent(person, MSGID + person.cast_signed(), "success"),
        )
        .await;
    }
    app.receive_event(&main, Event::template_sent(8, MSGID, "failed:user block")).await;
    let elsewhere = app.sent_without_msgid(&world.mini_program().unwrap(), 1, Unknown, 9_000).await;

    let _joins = app.run_profile_checks();
    app.wait_for_state(&alone, Delivered).await;
    app.wait_for_state(&sent, Delivered).await;
    assert_eq!(app.message(&alone).await.msgid, Some(MSGID + 1));
    let [one, other] = twins;
    for id in [long_ago, later, one, other, next_to_one_in_flight, with_two_receipts, elsewhere] {
        let message = app.message(&id).await;
        assert_eq!((message.state, message.msgid), (Unknown, None), "{message:?}");
    }
    assert_eq!(app.state_and_reason(&queued).await, (Queued, None));
    assert_eq!(app.kept_receipts().await.len(), 7);
}

#[tokio::test]
async fn a_receipt_older_than_two_days_is_ignored() {
    let world = calling_back(10).await;
    let app = TestApp::against(&world).await;
    let main = world.main();
    let id = app.sent(&main, 3, MSGID).await;
    for msgid in [MSGID, MSGID + 1] {
        let old = Event::template_sent(3, msgid, "success").at(now() - 49 * 3_600);
        app.receive_event(&main, old).await;
    }
    assert_eq!(
        (app.state_and_reason(&id).await, app.kept_receipts().await),
        ((Sent, None), vec![])
    );
}

#[rstest]
#[tokio::test]
async fn unmatched_receipts_are_deleted_after_three_days(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    use entity::receipt::{Column, Entity};
    app.receive_event(&world.main(), Event::template_sent(3, MSGID, "success")).await;
    let long_ago = app.app.store.now().await.unwrap() - 73 * HOUR_MS;
    let aged = Entity::update_many().col_expr(Column::ReceivedAt, Expr::value(long_ago));
    assert_eq!(aged.exec(app.app.store.writer()).await.unwrap().rows_affected, 1);
    app.receive_event(&world.main(), Event::template_sent(3, MSGID + 1, "success")).await;
    let _work = app.run_profile_checks();
    app.wait_for_receipts(&[MSGID + 1]).await;
}

#[rstest]
#[tokio::test]
async fn subscribe_message_receipts_end_their_messages(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
    #[values(true, false)] by_mini_program: bool,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let account = if by_mini_program { world.mini_program().unwrap() } else { world.main() };
    let (good, bad) = (app.sent(&account, 3, 7).await, app.sent(&account, 3, 8).await);
    app.receive_event(&account, Event::subscribe_msg_sent(3, "t", 7, (0, "success"))).await;
    app.receive_event(&account, Event::subscribe_msg_sent(3, "t", 8, (5, "user refuse"))).await;
    app.receive_event(&account, Event::subscribe_msg_sent(3, "t", 9, (0, "success"))).await;
    assert_eq!(app.state_and_reason(&good).await, (Delivered, None));
    assert_eq!(
        app.state_and_reason(&bad).await,
        (Failed, Some("failed:user refuse (5)".to_owned()))
    );
    assert_eq!(app.kept_receipts().await, [9]);
}

#[rstest]
#[tokio::test]
async fn no_receipt_of_an_erased_user_is_kept(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    let main = world.main();
    app.receive_event(&main, Event::user_authorization_cancellation(3)).await;
    for person in [3, 4] {
        app.receive_event(&main, Event::template_sent(person, person.cast_signed(), "success"))
            .await;
    }
    assert_eq!(app.kept_receipts().await, [4]);
}
