//! An erasure deletes the person's messages, receipts and consents in all accounts.

use rstest::rstest;
use unionid_bridge::erasure::erase_person;
use unionid_bridge::login::Request;
use unionid_bridge::model::{Channel, MessageState, UnionId};
use unionid_bridge::push::{Accepted, MessageSpec, Refusal, SendRequest};
use unionid_bridge::resolve::{Resolution, User};
use unionid_bridge::sandbox::{Account, Event, Sandbox};
use unionid_bridge::store::messages::{self, Route};

use crate::harness::{Backend, TestApp, accept_messages, calling_back, new_route};

/// The people with data in each account.
const PEOPLE: [u64; 3] = [2, 3, 4];

async fn accounts_with_traces(app: &TestApp, world: &Sandbox) -> [Account; 2] {
    app.sync_true(world).await;
    let accounts = [world.main(), world.mini_program().unwrap()];
    for person in PEOPLE {
        let request = Request { code: accounts[1].mint_code(person), ..Request::default() };
        app.app.login.exchange("test", request).await.unwrap();
    }
    for account in &accounts {
        for person in PEOPLE {
            app.trace(account, person).await;
        }
        assert_eq!(app.traces(account).await, PEOPLE);
    }
    accounts
}

fn unionid(account: &Account, person: u64) -> UnionId {
    account.person(person).unionid.unwrap().parse().unwrap()
}

#[rstest]
#[tokio::test]
async fn erasing_a_unionid_deletes_all_data_in_every_account(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let [main, program] = accounts_with_traces(&app, &world).await;
    assert!(erase_person(&app.app.store, &unionid(&main, 3), "test", None).await.unwrap());
    assert_eq!((app.traces(&main).await, app.traces(&program).await), (vec![2, 4], vec![2, 4]));
    assert!(!erase_person(&app.app.store, &unionid(&main, 3), "test", None).await.unwrap());
}

#[rstest]
#[tokio::test]
async fn a_withdrawal_deletes_all_data_in_every_account(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
    #[values(true, false)] at_mini_program: bool,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let [main, program] = accounts_with_traces(&app, &world).await;
    let account = if at_mini_program { &program } else { &main };
    app.receive_event(account, Event::user_authorization_revoke(3, "1")).await;
    assert_eq!((app.traces(&main).await, app.traces(&program).await), (vec![2, 4], vec![2, 4]));
}

#[rstest]
#[tokio::test]
async fn an_erasure_deletes_a_queued_message_to_an_otherwise_unknown_user(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let (main, store) = (world.main(), &app.app.store);
    let ids = accept_messages(store, &main, &[3, 4]).await;
    assert!(erase_person(store, &unionid(&main, 3), "test", None).await.unwrap());
    assert_eq!(messages::find(store.reader(), &ids[0]).await.unwrap(), None);
    assert_eq!(app.message(&ids[1]).await.state, MessageState::Queued);
}

#[rstest]
#[tokio::test]
async fn a_receipt_of_an_erased_message_is_acknowledged_and_not_stored(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let [main, _] = accounts_with_traces(&app, &world).await;
    app.sent(&main, 3, 77).await;
    assert!(erase_person(&app.app.store, &unionid(&main, 3), "test", None).await.unwrap());
    app.receive_event(&main, Event::template_sent(3, 77, "success")).await;
    assert_eq!(app.traces(&main).await, [2, 4]);
}

#[rstest]
#[tokio::test]
async fn messages_to_an_erased_user_are_refused_until_the_user_acts(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let [main, _] = accounts_with_traces(&app, &world).await;
    assert!(erase_person(&app.app.store, &unionid(&main, 3), "test", None).await.unwrap());
    let Route { openid, template_id, content, .. } = new_route(&app.app.store, &main, 3).await;
    let message = MessageSpec { channel: Channel::Template, sender: None, template_id, content };
    let to = User::OpenId { appid: main.appid().parse().unwrap(), openid };
    let orders = [SendRequest { to, message, fallback: None }];
    let accepted = || app.app.push.accept(&orders, None, |_| String::new());

    let refused = Accepted::New(vec![Err(Refusal::Unreachable(Resolution::UserUnknown))]);
    assert_eq!(accepted().await.unwrap(), refused);
    assert_eq!(app.traces(&main).await, [2, 4]);
    app.receive_event(&main, Event::text(3, "hello")).await;
    assert!(matches!(accepted().await.unwrap(), Accepted::New(verdicts) if verdicts[0].is_ok()));
}
