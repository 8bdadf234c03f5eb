//! A database for a benchmark alone: a file, a schema or a database of its own.

use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;

/// The kinds there are, in the order they are measured.
const KINDS: [&str; 3] = ["sqlite", "postgres", "mysql"];

/// The kinds named on the command line, or else all.
pub fn kinds(named: &[String]) -> Vec<&'static str> {
    let is_named = |kind: &&str| named.iter().any(|word| word == kind);
    let any = KINDS.iter().any(is_named);
    KINDS.into_iter().filter(|kind| !any || is_named(kind)).collect()
}

/// An empty database.
pub struct Base {
    pub url: String,
    /// The server it is on, and what drops it there.
    server: Option<(String, String)>,
    _folder: TempDir,
}

impl Base {
    /// Of this kind; `None`, and a line that says so, where no server is named.
    pub async fn new(kind: &'static str) -> Option<Self> {
        // In the target folder: temporary folders may be memory.
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

    /// Points an application at it.
    pub fn config_toml(&self) -> String {
        format!("\n[database]\nurl = '{}'\n", self.url)
    }

    /// Removes it.
    pub async fn drop(self) {
        if let Some((server, statement)) = self.server {
            execute(&server, &statement).await;
        }
    }
}

fn named(variable: &str) -> Option<String> {
    let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
    if url.is_none() {
        println!("{variable} is not set: left out");
    }
    url
}

async fn execute(server: &str, statement: &str) {
    let connection = Database::connect(server).await.unwrap();
    connection.execute_unprepared(statement).await.unwrap();
    connection.close().await.unwrap();
}
