//! Which databases the tests run on, and that the schema means the same on each.

use rstest::rstest;
use unionid_bridge::store::schema;

use crate::harness::{Backend, TestDatabase};

#[test]
fn which_databases_run() {
    use std::io::Write;
    for backend in [Backend::Sqlite, Backend::Postgres, Backend::Mysql] {
        let word = if backend.is_available() { "runs" } else { "is left out: no URL is set" };
        // Past the test harness's capture, so that it is seen.
        let _ = writeln!(std::io::stderr(), "{backend:?} {word}");
    }
}

#[rstest]
#[tokio::test]
async fn migrating_twice_changes_nothing_and_down_takes_all_back(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let store = database.connect().await;
    let steps = schema::status(&store).await.unwrap().len();
    assert_eq!(schema::pending(&store).await.unwrap(), steps);
    assert_eq!(schema::migrate_up(&store).await.unwrap(), steps);
    assert_eq!(schema::migrate_up(&store).await.unwrap(), 0);
    schema::migrate_down(&store, steps as u32).await.unwrap();
    assert_eq!(schema::pending(&store).await.unwrap(), steps);
    assert_eq!(schema::migrate_up(&store).await.unwrap(), steps);
}
