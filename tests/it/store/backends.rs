//! Skipped databases are reported, and migrations work on each database.

use std::process::Command;

use rstest::rstest;
use unionid_bridge::store::schema;

use crate::harness::{Backend, TestDatabase};

#[test]
fn a_missing_test_database_is_reported_and_fails_if_required() {
    let test = "store::backends::migrating_twice_changes_nothing_and_down_reverts_everything";
    let run = |required: &str| {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", &format!("{test}::backend_2_Backend__Postgres"), "--nocapture"]);
        again.env_remove("TEST_POSTGRES_URL").env("TEST_REQUIRE", required);
        let output = again.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    };
    let missing = "TEST_POSTGRES_URL is not set";
    let (passed, output) = run("");
    assert!(passed && output.contains("1 passed"), "{output}");
    assert!(output.contains(&format!("LEFT OUT: {missing}")), "{output}");
    for required in ["databases", "clocks, databases"] {
        let (passed, output) = run(required);
        assert!(!passed && output.contains("1 failed") && output.contains(missing), "{output}");
    }
    assert!(run("clocks,servers").0);
}

#[rstest]
#[tokio::test]
async fn migrating_twice_changes_nothing_and_down_reverts_everything(
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
