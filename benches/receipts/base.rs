//! A database for the benchmark alone: a file, a schema or a database of its own.

use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;

/// An empty database.
pub struct Base {
    pub url: String,
    /// On which server it is dropped, and how.
    end: Option<(String, String)>,
    _folder: TempDir,
}

impl Base {
    /// Of this kind; `None` where no server is named.
    pub async fn new(kind: &str) -> Option<Self> {
        // In the target folder: temporary folders may be memory.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let name = format!("bench_{}", std::process::id());
        let (url, end) = match kind {
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
        Some(Self { url, end, _folder: folder })
    }

    /// Removes it.
    pub async fn drop(self) {
        if let Some((server, statement)) = self.end {
            execute(&server, &statement).await;
        }
    }
}

fn named(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|url| !url.is_empty())
}

async fn execute(server: &str, statement: &str) {
    let connection = Database::connect(server).await.unwrap();
    connection.execute_unprepared(statement).await.unwrap();
    connection.close().await.unwrap();
}
