//! A small T31b: many receipts at once, each committed before it is acknowledged, none lost.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use rstest::rstest;
use sea_orm::ConnectionTrait;
use tokio::time::sleep;
use unionid_bridge::model::MessageId;
use unionid_bridge::model::MessageState::{Delivered, Sent};
use unionid_bridge::sandbox::{Account, Envelope, Event};
use unionid_bridge::store::Store;
use unionid_bridge::store::messages;

use crate::harness::{
    Backend, Proxy, ProxyMode, TestApp, TestDatabase, accept_messages, calling_back, mark_sent,
};

const RECEIPTS: usize = 500;

/// The number of receipts that arrive while the database is unreachable.
const DURING_OUTAGE: usize = 60;

/// Inserts sent messages. Returns each with the envelope of its receipt.
async fn storm(store: &Store, account: &Account) -> Vec<(MessageId, Envelope)> {
    let people = vec![3; RECEIPTS];
    let ids = accept_messages(store, account, &people).await;
    let mut storm = Vec::new();
    for (msgid, id) in (1..).zip(ids) {
        mark_sent(store, &id, Sent, Some(msgid), 1_000).await;
        storm.push((id, account.envelope(Event::template_sent(3, msgid, "success")).unwrap()));
    }
    storm
}

async fn is_delivered(store: &Store, id: &MessageId) -> bool {
    messages::find(store.reader(), id).await.unwrap().unwrap().state == Delivered
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_receipts_are_committed_before_they_are_acknowledged(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let (main, other) = (world.main(), app.database.connect().await);
    let storm = storm(&app.app.store, &main).await;
    let acknowledged = stream::iter(&storm).map(async |(id, envelope)| {
        // Retries like WeChat: a busy machine may be too slow for the first attempt.
        for _ in 0..3 {
            if app.receive(&main, envelope).await.is_ok() {
                assert!(is_delivered(&other, id).await, "acknowledged but not stored");
                return 1;
            }
        }
        0
    });
    let acknowledged: Vec<usize> = acknowledged.buffer_unordered(RECEIPTS).collect().await;
    assert_eq!(acknowledged.into_iter().sum::<usize>(), RECEIPTS);
    assert!(app.kept_receipts().await.is_empty());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_database_outage_loses_no_acknowledged_receipt(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
    #[values(ProxyMode::Close, ProxyMode::Blackhole)] how: ProxyMode,
) {
    let world = calling_back(10).await;
    let Some(database) = TestDatabase::new(backend).await else { return };
    let (main, direct) = (world.main(), database.store().await);
    let storm = storm(&direct, &main).await;
    let proxy = Proxy::to(database.server_address().unwrap()).await;
    let mut far = database.clone();
    far.url = database.url_through(proxy.address).unwrap();
    let store = far.connect().await;
    let app = TestApp::process(&world, far, store, "").await;

    let deliver = async |(index, (id, envelope)): (usize, &(MessageId, Envelope))| {
        if index == RECEIPTS - DURING_OUTAGE {
            proxy.set(how);
        }
        let is_acknowledged = app.receive(&main, envelope).await.is_ok();
        if is_acknowledged {
            assert!(is_delivered(&direct, id).await, "acknowledged but not stored");
        }
        is_acknowledged
    };
    let first = stream::iter(storm.iter().enumerate()).map(deliver).buffered(20);
    let first: Vec<bool> = first.collect().await;
    let acknowledged = first.iter().filter(|is_acknowledged| **is_acknowledged).count();
    assert!((1..RECEIPTS).contains(&acknowledged), "{acknowledged}");

    proxy.set(ProxyMode::Forward);
    let restored = Instant::now();
    for ((id, envelope), is_acknowledged) in storm.iter().zip(first) {
        while !is_acknowledged && app.receive(&main, envelope).await.is_err() {
            assert!(restored.elapsed() < Duration::from_secs(20), "receipts are still refused");
            sleep(Duration::from_millis(20)).await;
        }
        assert!(is_delivered(&direct, id).await);
    }
    assert!(app.kept_receipts().await.is_empty());
}

#[rstest]
#[tokio::test]
async fn a_partly_failed_receipt_is_rolled_back_and_not_acknowledged(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let (program, writer) = (world.mini_program().unwrap(), app.app.store.writer());
    let id = app.sent(&program, 3, 7).await;
    // The second message is unknown, so its receipt would be kept.
    let both = Event::raw(format!(
        "<xml><ToUserName>gh_0</ToUserName><FromUserName>{}</FromUserName>\
         <CreateTime>{}</CreateTime><MsgType>event</MsgType><Event>subscribe_msg_sent_event</Event>\
         <SubscribeMsgSentEvent>{}{}</SubscribeMsgSentEvent></xml>",
        program.person(3).openid,
        std::time::UNIX_EPOCH.elapsed().unwrap().as_secs(),
        "<List><TemplateId>t</TemplateId><MsgID>7</MsgID><ErrorStatus>success</ErrorStatus></List>",
        "<List><TemplateId>t</TemplateId><MsgID>8</MsgID><ErrorStatus>success</ErrorStatus></List>",
    ));
    let envelope = program.envelope(both).unwrap();
    writer.execute_unprepared("ALTER TABLE receipt RENAME TO away").await.unwrap();
    assert!(app.receive(&program, &envelope).await.is_err());
    assert_eq!(app.state_and_reason(&id).await, (Sent, None));

    writer.execute_unprepared("ALTER TABLE away RENAME TO receipt").await.unwrap();
    app.receive(&program, &envelope).await.unwrap();
    assert_eq!(
        (app.state_and_reason(&id).await, app.kept_receipts().await),
        ((Delivered, None), vec![8])
    );
}
