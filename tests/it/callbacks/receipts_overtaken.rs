//! A receipt is acknowledged after its commit, however long it takes to match it to its message.

use std::time::{Duration, Instant};

use rstest::rstest;
use unionid_bridge::model::MessageState;
use unionid_bridge::sandbox::Event;
use unionid_bridge::store::receipts::{self, Receipt};

use crate::harness::{Backend, TestApp, account_id, calling_back, openid_of};

const MSGID: i64 = 4_000_000_000_000_000_001;

/// Not on SQLite, where nothing is committed while another transaction writes.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_committed_receipt_is_acknowledged_even_if_matching_is_blocked(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let (main, store) = (world.main(), &app.app.store);
    let number = account_id(store, &main).await;
    // A receipt that was kept a moment after the new one, whose message is locked by another transaction.
    let id = app.sent(&main, 3, MSGID).await;
    let (openid, status) = (openid_of(&main, 3), "success".to_owned());
    let receipt = Receipt { account: number, msgid: MSGID, openid, status };
    let soon = store.now().await.unwrap() + 60_000;
    receipts::insert_unmatched(store.writer(), &[receipt], soon).await.unwrap();
    let locking = store.begin().await.unwrap();
    let one = std::slice::from_ref(&id);
    receipts::end(&locking, one, "success", soon).await.unwrap();

    let began = Instant::now();
    app.receive_event(&main, Event::template_sent(4, MSGID + 1, "success")).await;
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    drop(locking);
    assert_eq!(app.kept_receipts().await, [MSGID, MSGID + 1]);
    let _joins = app.run_profile_checks();
    app.wait_for_state(&id, MessageState::Delivered).await;
}
