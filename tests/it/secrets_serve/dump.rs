//! What stands in the database: ciphertext and digests, and nothing that is searched for.

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

/// Every row of every table of a server's.
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

/// Of what the connection is at work in.
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

/// In the database there is ciphertext and digests.
pub async fn assert_sealed(database: &TestDatabase, secrets: &[&str], somebody: &str) {
    if let Some(file) = server::file(&database.url) {
        return assert_files_are_sealed(Path::new(&file), secrets);
    }
    let store = database.connect().await;
    let all = dump(&store).await;
    assert_eq!(found(&all, &[somebody]), [somebody], "the search finds nothing at all");
    // PostgreSQL shows bytes in hex.
    let hex = |secret: &&str| secret.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let spelt: Vec<String> = secrets.iter().map(hex).collect();
    let spelt: Vec<&str> = spelt.iter().map(String::as_str).collect();
    assert_eq!(found(&all, &[secrets, &spelt].concat()), [""; 0]);
}
