//! An erasure covers every table with personal data.

use std::collections::BTreeSet;

use rstest::rstest;
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement};
use unionid_bridge::store::erasures::{DEPENDENT_TABLES, IDENTITY_TABLES};

use crate::harness::{Backend, TestApp, TestDatabase, paged_world};

/// Columns without lasting personal data: cursors into WeChat's list, which are cleared with the run, and a
/// count.
const HARMLESS: [(&str, &str); 3] =
    [("sync_run", "next_openid"), ("sync_page", "next_openid"), ("sync_run", "missing_unionid")];

/// Selects all tables and columns of the schema.
fn columns(backend: DbBackend) -> Statement {
    let text = match backend {
        DbBackend::Sqlite => {
            "SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c \
             WHERE t.type = 'table'"
        }
        DbBackend::Postgres => {
            "SELECT table_name::text, column_name::text FROM information_schema.columns \
             WHERE table_schema = current_schema()"
        }
        _ => {
            "SELECT table_name, column_name FROM information_schema.columns \
             WHERE table_schema = database()"
        }
    };
    Statement::from_string(backend, text)
}

#[rstest]
#[tokio::test]
async fn every_table_with_an_openid_or_unionid_is_covered_by_erasure(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let store = database.store().await;
    let reader = store.reader();
    let rows = reader.query_all_raw(columns(reader.get_database_backend())).await.unwrap();
    let column = |row: &sea_orm::QueryResult| -> (String, String) {
        (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap())
    };
    let all: Vec<_> = rows.iter().map(column).collect();
    let mut personal: BTreeSet<_> =
        all.iter().map(|(table, column)| (&**table, &**column)).collect();
    personal.retain(|(_, column)| column.contains("openid") || column.contains("unionid"));
    for harmless in HARMLESS {
        assert!(personal.remove(&harmless), "{harmless:?} no longer exists");
    }
    let tables: BTreeSet<_> = personal.into_iter().map(|(table, _)| table).collect();
    assert_eq!(tables, IDENTITY_TABLES.into_iter().chain(DEPENDENT_TABLES).collect());
}

#[rstest]
#[tokio::test]
async fn a_finished_run_contains_no_openid(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 300).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let cursors = async || {
        let runs = entity::sync_run::Entity::find().all(app.app.store.reader()).await.unwrap();
        runs.into_iter().filter(|run| !run.next_openid.is_empty()).count()
    };
    app.sync_stopped_after(1).await;
    assert_eq!(cursors().await, 1, "a resumable run keeps its cursor");
    app.sync_true(&world).await;
    world.main().leave(0..100);
    assert_eq!(app.sync().await.run.state.as_str(), "held");
    assert_eq!(cursors().await, 0);
    let pages = entity::sync_page::Entity::find().all(app.app.store.reader()).await.unwrap();
    assert!(pages.iter().all(|page| page.deferred == "[]"), "{pages:?}");
}
