//! The database contains ciphertext and digests, but no secret.

use std::path::Path;

use sea_orm::{ConnectionTrait, Statement};
use unionid_bridge::store::{Store, server};

use crate::harness::TestDatabase;
use crate::secrets::{assert_files_are_sealed, found};

async fn texts(store: &Store, query: &str) -> Vec<Vec<u8>> {
    let statement = Statement::from_string(store.reader().get_database_backend(), query);
    let rows = store.reader().query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Returns the text of all rows of all tables on a database server.
async fn dump(store: &Store) -> Vec<u8> {
    let mut all = Vec::new();
    for table in names(store, TABLES).await {
        let rows = match store.backend_name() {
            "postgres" => format!("SELECT convert_to(t::text, 'UTF8') FROM \"{table}\" t"),
            _ => {
                let columns = names(store, &COLUMNS.replace("{table}", &table)).await.join(", ");
                format!("SELECT CAST(CONCAT_WS(' ', {columns}) AS BINARY) FROM `{table}`")
            }
        };
        all.extend(texts(store, &rows).await.concat());
    }
    all
}

/// The tables of the connection's schema.
const TABLES: &str = "SELECT table_name AS name FROM information_schema.tables \
    WHERE table_schema IN (SELECT {schema}) AND table_type = 'BASE TABLE'";

const COLUMNS: &str = "SELECT CONCAT('`', column_name, '`') AS name FROM information_schema.columns \
    WHERE table_schema IN (SELECT {schema}) AND table_name = '{table}'";

async fn names(store: &Store, query: &str) -> Vec<String> {
    let (schema, text) = match store.backend_name() {
        "postgres" => ("current_schema()", "SELECT convert_to(name, 'UTF8')"),
        _ => ("DATABASE()", "SELECT CAST(name AS BINARY)"),
    };
    let query = query.replace("{schema}", schema);
    let found = texts(store, &format!("{text} FROM ({query}) AS found")).await;
    found.into_iter().map(|name| String::from_utf8(name).unwrap()).collect()
}

/// Asserts that the database contains no secret. `known` is a text that it contains, to check the search.
pub async fn assert_sealed(database: &TestDatabase, secrets: &[&str], known: &str) {
    if let Some(file) = server::file(&database.url) {
        return assert_files_are_sealed(Path::new(&file), secrets);
    }
    let store = database.connect().await;
    let all = dump(&store).await;
    assert_eq!(found(&all, &[known]), [known], "the search does not work");
    // PostgreSQL shows bytes in hex.
    let hex = |secret: &&str| secret.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let encoded: Vec<String> = secrets.iter().map(hex).collect();
    let encoded: Vec<&str> = encoded.iter().map(String::as_str).collect();
    assert_eq!(found(&all, &[secrets, &encoded].concat()), [""; 0]);
}
