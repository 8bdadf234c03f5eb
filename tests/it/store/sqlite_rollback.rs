//! SQLite rolls a transaction back by itself when the disk is full. Later transactions must still be stored.

use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait};
use unionid_bridge::store::{Error, Store};

use crate::harness::{Backend, TestDatabase};

async fn accounts(store: &Store) -> u64 {
    entity::account::Entity::find().count(store.reader()).await.unwrap()
}

#[tokio::test]
async fn transactions_committed_after_a_full_disk_are_stored() {
    let database = TestDatabase::new(Backend::Sqlite).await.unwrap();
    let store = database.store().await;
    // The database cannot grow.
    store.writer().execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
    let full = async {
        let transaction = store.begin().await?;
        for row in 0..10_000 {
            let wide = format!("INSERT INTO account (appid) VALUES ('{row:0>2000}')");
            transaction.execute_unprepared(&wide).await?;
        }
        transaction.commit().await
    };
    let refused = full.await.unwrap_err();
    assert!(matches!(refused, Error::Full(_)), "{refused:?}");
    assert_eq!(accounts(&store).await, 0);

    // A transaction that is rolled back, and two that are committed.
    let rolled_back = store.begin().await.unwrap();
    rolled_back.execute_unprepared("INSERT INTO account (appid) VALUES ('wx1')").await.unwrap();
    drop(rolled_back);
    for (appid, expected) in [("wx2", 1), ("wx3", 2)] {
        let kept = store.begin().await.unwrap();
        let insert = format!("INSERT INTO account (appid) VALUES ('{appid}')");
        kept.execute_unprepared(&insert).await.unwrap();
        kept.commit().await.unwrap();
        assert_eq!(accounts(&store).await, expected, "{appid} was committed but not stored");
    }
}
