//! An erasure that runs at the same time as another change of the same person: the result is as if one came
//! after the other.

use std::time::Duration;

use rstest::rstest;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use unionid_bridge::erasure::erase_person;
use unionid_bridge::login::{Error, Request};
use unionid_bridge::model::{AppId, OpenId, UnionId};
use unionid_bridge::sandbox::{Account, Call, Event, Sandbox};
use unionid_bridge::store::erasures::{self, Subject};
use unionid_bridge::store::{AccountId, Transaction, accounts};

use crate::harness::{Backend, TestApp, calling_back, until};

/// Long enough for other tasks to proceed until they are blocked.
const PAUSE: Duration = Duration::from_millis(300);

impl TestApp {
    async fn number_of(&self, account: &Account) -> AccountId {
        let appid: AppId = account.appid().parse().unwrap();
        accounts::find_or_insert(&self.app.store, &appid).await.unwrap()
    }

    /// Starts a transaction that locks a row until it is dropped.
    async fn lock_row(&self, backend: Backend, statement: &str) -> Transaction {
        let transaction = self.app.store.begin().await.unwrap();
        // On SQLite, the transaction alone blocks all others.
        if backend != Backend::Sqlite {
            transaction.execute_unprepared(statement).await.unwrap();
        }
        transaction
    }

    /// Logs in and retries a database error once, as a client does: MariaDB and MySQL lock by index, and
    /// roll back one of two transactions that use different indexes.
    async fn log_in_with_retry(&self, world: &Sandbox, person: u64) {
        let code = world.mini_program().unwrap().mint_code(person);
        let request = Request { code, ..Request::default() };
        let mut outcome = self.app.login.exchange("test", request.clone()).await;
        if let Err(Error::Store(_)) = outcome {
            outcome = self.app.login.exchange("test", request).await;
        }
        outcome.unwrap();
    }

    /// Whether the person is known, and whether they are recorded as erased. Exactly one must be true.
    async fn known_and_erased(&self, account: &Account, openid: &OpenId) -> (bool, bool) {
        use entity::mini_program_user::{Column, Entity};
        let store = &self.app.store;
        let users = Entity::find().filter(Column::Openid.eq(openid.as_str()));
        let is_user = users.one(store.reader()).await.unwrap().is_some();
        let is_known = is_user || self.mirror().await.contains_key(openid.as_str());
        let number = self.number_of(account).await;
        let erased = erasures::find_erased_at(store.reader(), number, openid).await.unwrap();
        (is_known, erased.is_some())
    }
}

fn openid(account: &Account, person: u64) -> OpenId {
    account.person(person).openid.parse().unwrap()
}

fn unionid(account: &Account, person: u64) -> UnionId {
    account.person(person).unionid.unwrap().parse().unwrap()
}

#[rstest]
#[tokio::test]
async fn a_profile_written_during_an_erasure_is_erased_too(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let main = world.main();
    let person = main.join(1).start;
    let (openid, unionid) = (openid(&main, person), unionid(&main, person));
    app.receive_event(&main, Event::subscribe(person)).await;
    let row = format!("SELECT id FROM follower WHERE openid = '{openid}' FOR UPDATE");
    let lock = app.lock_row(backend, &row).await;
    let _checks = app.run_profile_checks();
    if backend != Backend::Sqlite {
        until("the profile", || world.requests(Call::UserInfo) == 1).await;
    }
    tokio::time::sleep(PAUSE).await;
    let erasing = erase_person(&app.app.store, &unionid, "test", None);
    let (erased, ()) = tokio::join!(erasing, async {
        tokio::time::sleep(PAUSE).await;
        drop(lock);
    });
    erased.unwrap();
    tokio::time::sleep(PAUSE).await;
    assert_eq!(app.mirror().await.get(openid.as_str()), None);
}

#[rstest]
#[tokio::test]
async fn a_follow_during_an_erasure_is_either_erased_or_readmitted(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let main = world.main();
    let (account, person) = (app.number_of(&main).await, main.join(1).start);
    let openid = openid(&main, person);
    let row = format!(
        "INSERT INTO follower (account_id, openid, subscribed, digest, profile_at, created_at) \
         VALUES ({account}, '{openid}', true, 0, 0, 0)"
    );
    let lock = app.lock_row(backend, &row).await;
    let erasing = async {
        tokio::time::sleep(PAUSE / 3).await;
        let transaction = app.app.store.begin().await.unwrap();
        let subject = Subject::OpenId { account, openid: &openid, unionid: None };
        erasures::erase(&transaction, subject).await.unwrap();
        transaction.commit().await.unwrap();
    };
    let ((), (), ()) =
        tokio::join!(app.receive_event(&main, Event::subscribe(person)), erasing, async {
            tokio::time::sleep(PAUSE).await;
            drop(lock);
        });
    let (is_known, is_erased) = app.known_and_erased(&main, &openid).await;
    assert_ne!(is_known, is_erased);
}

#[rstest]
#[tokio::test]
async fn a_login_during_an_erasure_is_either_erased_or_readmitted(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let program = world.mini_program().unwrap();
    let (openid, unionid) = (openid(&program, 3), unionid(&program, 3));
    app.log_in_with_retry(&world, 3).await;
    let row = format!("SELECT id FROM mini_program_user WHERE openid = '{openid}' FOR UPDATE");
    let lock = app.lock_row(backend, &row).await;
    let login = async {
        tokio::time::sleep(PAUSE / 3).await;
        app.log_in_with_retry(&world, 3).await;
    };
    let erasing = erase_person(&app.app.store, &unionid, "test", None);
    let (erased, (), ()) = tokio::join!(erasing, login, async {
        tokio::time::sleep(PAUSE).await;
        drop(lock);
    });
    erased.unwrap();
    let (is_known, is_erased) = app.known_and_erased(&program, &openid).await;
    assert_ne!(is_known, is_erased);
}

#[rstest]
#[tokio::test]
async fn first_logins_during_erasures_are_either_erased_or_readmitted(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(100).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let program = world.mini_program().unwrap();
    app.log_in_with_retry(&world, 0).await;
    for person in 1..100_u64 {
        let (openid, unionid) = (openid(&program, person), unionid(&program, person));
        let erasing = async {
            tokio::time::sleep(Duration::from_micros(person % 20 * 250)).await;
            erase_person(&app.app.store, &unionid, "test", None).await.unwrap();
        };
        let ((), ()) = tokio::join!(app.log_in_with_retry(&world, person), erasing);
        use entity::mini_program_user::{Column, Entity};
        let users = Entity::find().filter(Column::Openid.eq(openid.as_str()));
        let is_known = users.one(app.app.store.reader()).await.unwrap().is_some();
        let transaction = app.app.store.begin().await.unwrap();
        let main = app.number_of(&world.main()).await;
        let people = [(&self::openid(&world.main(), person), Some(&unionid))];
        let is_erased = !erasures::withhold(&transaction, main, &people).await.unwrap().is_empty();
        drop(transaction);
        assert_ne!(is_known, is_erased, "{person}");
    }
}
