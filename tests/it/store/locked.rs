//! Another program holds a lock for long, and callers time out and retry.

use std::time::{Duration, Instant};

use futures::future::join_all;
use rstest::rstest;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use unionid_bridge::store::{self, AccountId, Options, Store, accounts};

use crate::harness::{Backend, TestDatabase, eventually};

const CONNECTIONS: u32 = 4;
const CALLERS: usize = 12;

/// Several times the timeout for a connection.
const HELD_FOR: Duration = Duration::from_secs(13);

/// Sets the application name of connections on PostgreSQL.
fn named(url: &str, name: &str) -> String {
    let sign = if url.contains('?') { '&' } else { '?' };
    match url.starts_with("postgres") {
        true => format!("{url}{sign}application_name={name}"),
        false => url.to_owned(),
    }
}

async fn store_of(url: String) -> Store {
    let (acquire_timeout, statement_limit) = (Duration::from_secs(5), Duration::from_secs(20));
    let options = Options { url, max_connections: CONNECTIONS, acquire_timeout, statement_limit };
    Store::connect(&options).await.unwrap()
}

async fn share(store: &Store, account: AccountId) -> Result<(), store::Error> {
    store::in_time(async {
        let transaction = store.begin().await?;
        accounts::share(&transaction, account).await?;
        transaction.commit().await
    })
    .await
}

/// Returns the number of connections: by application name on PostgreSQL, by database on MariaDB and MySQL.
async fn count(observer: &DatabaseConnection, name: &str) -> i64 {
    let backend = observer.get_database_backend();
    let text = match backend {
        sea_orm::DbBackend::Postgres => {
            format!("SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = '{name}'")
        }
        _ => "SELECT COUNT(*) FROM information_schema.processlist \
              WHERE db = DATABASE() AND id <> CONNECTION_ID()"
            .to_owned(),
    };
    let row = observer.query_one_raw(Statement::from_string(backend, text)).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn statements_cancelled_during_a_lock_wait_do_not_pile_up_on_the_server(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let migrated = database.store().await;
    let appid = "wx0a00000000000001".parse().unwrap();
    let account = accounts::find_or_insert(&migrated, &appid).await.unwrap();
    migrated.close().await.unwrap();
    let name = uuid::Uuid::new_v4().simple().to_string();
    let store = store_of(named(&database.url, &name)).await;
    let observer = Database::connect(&database.url).await.unwrap();
    let holder = database.connect_with(1).await;
    let held = holder.begin().await.unwrap();
    accounts::lock_all(&held).await.unwrap();
    // The holder's connection, where it is counted.
    let others = if backend == Backend::Mysql { 1 } else { 0 };

    let began = Instant::now();
    let callers = join_all((0..CALLERS).map(async |_| {
        while began.elapsed() < HELD_FOR {
            let began = Instant::now();
            assert!(share(&store, account).await.is_err(), "the lock is not held");
            assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
        }
    }));
    let watch = async {
        let mut max = 0;
        while began.elapsed() < HELD_FOR {
            max = max.max(count(&observer, &name).await - others);
            // The server ends idle transactions.
            store::now(&held).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        max
    };
    let (_, max) = tokio::join!(callers, watch);
    assert!(max <= 2 * i64::from(CONNECTIONS), "{max} connections at once");
    drop(held);
    eventually("the lock to be free", async || share(&store, account).await.is_ok()).await;
    let is_few = async || count(&observer, &name).await - others <= i64::from(CONNECTIONS);
    eventually("the other connections to close", is_few).await;
}
