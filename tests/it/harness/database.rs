//! A database for one test: a file, a schema of its own, or a database of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;
use unionid_bridge::store::{Options, Store, schema};

use super::needs::{Need, say_once};

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
    Mysql,
}

impl Backend {
    /// The server's URL, if tests may use one; says once which kinds they run on.
    fn server(self) -> Option<String> {
        let variable = match self {
            Self::Sqlite => return Some("sqlite".to_owned()),
            Self::Postgres => "TEST_POSTGRES_URL",
            Self::Mysql => "TEST_MYSQL_URL",
        };
        let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
        match url {
            Some(_) => say_once(&format!("tests run on {self:?} too, by {variable}")),
            None => {
                Need::Databases.is_missing(&format!("{variable} is not set: no test on {self:?}"))
            }
        }
        url
    }
}

/// An empty database, gone when its last clone is dropped (on the servers: when the server is
/// cleaned up).
#[derive(Clone)]
pub struct TestDatabase {
    pub url: String,
    _folder: Arc<TempDir>,
}

impl TestDatabase {
    /// A new one, or `None` where there is no such server: the test then has nothing to do.
    ///
    /// # Panics
    /// Where databases are required ([`Need`]).
    pub async fn new(backend: Backend) -> Option<Self> {
        let server = backend.server()?;
        let folder = tempfile::tempdir().unwrap();
        let name = format!("ub_{}", uuid::Uuid::new_v4().simple());
        let url = match backend {
            Backend::Sqlite => {
                format!("sqlite://{}?mode=rwc", folder.path().join("test.db").display())
            }
            Backend::Postgres => {
                execute(&server, &format!("CREATE SCHEMA {name}")).await;
                format!("{server}?options[search_path]={name}")
            }
            Backend::Mysql => {
                execute(&server, &format!("CREATE DATABASE {name}")).await;
                let (base, _) = server.rsplit_once('/').unwrap();
                format!("{base}/{name}")
            }
        };
        Some(Self { url, _folder: Arc::new(folder) })
    }

    /// Its URL by another way to its server; `None` for SQLite, which has no server.
    pub fn url_through(&self, way: SocketAddr) -> Option<String> {
        let mut url = Url::parse(&self.url).unwrap();
        self.server_address()?;
        url.set_host(Some(&way.ip().to_string())).unwrap();
        url.set_port(Some(way.port())).unwrap();
        Some(url.into())
    }

    /// Where its server listens; `None` for SQLite.
    pub fn server_address(&self) -> Option<SocketAddr> {
        let url = Url::parse(&self.url).unwrap();
        let usual = match url.scheme() {
            "sqlite" => return None,
            "postgres" | "postgresql" => 5432,
            _ => 3306,
        };
        let mut found = url.socket_addrs(|| Some(usual)).unwrap();
        found.pop()
    }

    /// Connects as the service does, without a schema.
    pub async fn connect(&self) -> Store {
        self.connect_with(8).await
    }

    /// The same, with so many connections.
    pub async fn connect_with(&self, max_connections: u32) -> Store {
        let options = Options {
            url: self.url.clone(),
            max_connections,
            acquire_timeout: Duration::from_secs(10),
            statement_limit: Duration::from_secs(60),
        };
        Store::connect(&options).await.unwrap()
    }

    /// Connects, with the schema up to date.
    pub async fn store(&self) -> Store {
        let store = self.connect().await;
        schema::migrate_up(&store).await.unwrap();
        store
    }
}

async fn execute(server: &str, statement: &str) {
    let connection = Database::connect(server).await.unwrap();
    connection.execute_unprepared(statement).await.unwrap();
    connection.close().await.unwrap();
}
