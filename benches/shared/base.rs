//! A separate database for a benchmark: a file, a schema, or a database.

use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;

/// The kinds of databases, in the order of measurement.
const KINDS: [&str; 3] = ["sqlite", "postgres", "mysql"];

/// Returns the kinds named on the command line, or all if none is named.
pub fn kinds(named: &[String]) -> Vec<&'static str> {
    let is_named = |kind: &&str| named.iter().any(|given| given == kind);
    let any = KINDS.iter().any(is_named);
    KINDS.into_iter().filter(|kind| !any || is_named(kind)).collect()
}

/// An empty database.
pub struct Base {
    pub url: String,
    /// The server, and the statement that drops the database.
    server: Option<(String, String)>,
    _folder: TempDir,
}

impl Base {
    /// Creates a database of this kind. Prints a line and returns `None` if no server is configured.
    pub async fn new(kind: &'static str) -> Option<Self> {
        // In the target folder, because temporary folders may be in memory.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let name = format!("bench_{}", uuid::Uuid::new_v4().simple());
        let (url, server) = match kind {
            "postgres" => {
                let server = named("TEST_POSTGRES_URL")?;
                execute(&server, &format!("CREATE SCHEMA {name}")).await;
                let url = format!("{server}?options[search_path]={name}");
                (url, Some((server, format!("DROP SCHEMA {name} CASCADE"))))
            }
            "mysql" => {
                let server = named("TEST_MYSQL_URL")?;
                execute(&server, &format!("CREATE DATABASE {name}")).await;
                let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
                (url, Some((server, format!("DROP DATABASE {name}"))))
            }
            _ => {
                let file = folder.path().join("bench.db");
                (format!("sqlite://{}?mode=rwc", file.display()), None)
            }
        };
        Some(Self { url, server, _folder: folder })
    }

    /// Returns the configuration for this database.
    pub fn config_toml(&self) -> String {
        format!("\n[database]\nurl = '{}'\n", self.url)
    }

    /// Drops the database.
    pub async fn drop(self) {
        if let Some((server, statement)) = self.server {
            execute(&server, &statement).await;
        }
    }
}

fn named(variable: &str) -> Option<String> {
    let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
    if url.is_none() {
        println!("{variable} is not set: skipped");
    }
    url
}

async fn execute(server: &str, statement: &str) {
    let connection = Database::connect(server).await.unwrap();
    connection.execute_unprepared(statement).await.unwrap();
    connection.close().await.unwrap();
}
