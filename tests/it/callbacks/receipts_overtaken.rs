//! A receipt is acknowledged once it is committed, however long it takes to find its message.

use std::time::{Duration, Instant};

use rstest::rstest;
use unionid_bridge::model::MessageState;
use unionid_bridge::sandbox::Event;
use unionid_bridge::store::receipts::{self, Receipt};

use crate::harness::{Backend, TestApp, account_id, calling_back, openid_of};

const MSGID: i64 = 4_000_000_000_000_000_001;

/// On SQLite nothing is committed while another transaction writes.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_committed_receipt_is_acknowledged_though_joining_it_has_to_wait(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let (main, store) = (world.main(), &app.app.store);
    let number = account_id(store, &main).await;
    // Kept a moment after the one that comes, with a message that somebody works on.
    let id = app.sent(&main, 3, MSGID).await;
    let (openid, status) = (openid_of(&main, 3), "success".to_owned());
    let receipt = Receipt { account: number, msgid: MSGID, openid, status };
    let soon = store.now().await.unwrap() + 60_000;
    receipts::keep(store.writer(), &[receipt], soon).await.unwrap();
    let working = store.begin().await.unwrap();
    let one = std::slice::from_ref(&id);
    receipts::end(&working, one, "success", soon).await.unwrap();

    let began = Instant::now();
    app.arrives(&main, Event::template_sent(4, MSGID + 1, "success")).await;
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    drop(working);
    assert_eq!(app.kept_receipts().await, [MSGID, MSGID + 1]);
    let _joins = app.checks();
    app.ends(&id, MessageState::Delivered).await;
}
