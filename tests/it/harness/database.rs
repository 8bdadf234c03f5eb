//! A database per test: a SQLite file, a PostgreSQL schema, or a MySQL/MariaDB database.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;
use unionid_bridge::store::{Options, Store, schema};

use super::requirements::{Need, print_once};

/// The kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
    Mysql,
}

impl Backend {
    /// Returns the URL of the test server if there is one, and prints once whether tests run on it.
    fn server(self) -> Option<String> {
        let variable = match self {
            Self::Sqlite => return Some("sqlite".to_owned()),
            Self::Postgres => "TEST_POSTGRES_URL",
            Self::Mysql => "TEST_MYSQL_URL",
        };
        let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
        match url {
            Some(_) => print_once(&format!("tests also run on {self:?}: {variable} is set")),
            None => {
                Need::Databases.is_missing(&format!("{variable} is not set: no test on {self:?}"))
            }
        }
        url
    }
}

/// An empty database. SQLite files are deleted with the last clone; servers keep theirs until they are
/// cleaned up.
#[derive(Clone)]
pub struct TestDatabase {
    pub url: String,
    _folder: Arc<TempDir>,
}

impl TestDatabase {
    /// Creates a database. Returns `None` if there is no test server; the test is then skipped.
    ///
    /// # Panics
    /// If there is no test server and `TEST_REQUIRE` requires one ([`Need`]).
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

    /// Returns the URL with the address of a proxy instead of the server's; `None` for SQLite.
    pub fn url_through(&self, proxy: SocketAddr) -> Option<String> {
        let mut url = Url::parse(&self.url).unwrap();
        self.server_address()?;
        url.set_host(Some(&proxy.ip().to_string())).unwrap();
        url.set_port(Some(proxy.port())).unwrap();
        Some(url.into())
    }

    /// Returns the address of the server; `None` for SQLite.
    pub fn server_address(&self) -> Option<SocketAddr> {
        let url = Url::parse(&self.url).unwrap();
        let default_port = match url.scheme() {
            "sqlite" => return None,
            "postgres" | "postgresql" => 5432,
            _ => 3306,
        };
        let mut addresses = url.socket_addrs(|| Some(default_port)).unwrap();
        addresses.pop()
    }

    /// Connects as the service does, without migrating the schema.
    pub async fn connect(&self) -> Store {
        self.connect_with(8).await
    }

    /// Like [`Self::connect`], with a pool of at most `max_connections`.
    pub async fn connect_with(&self, max_connections: u32) -> Store {
        let options = Options {
            url: self.url.clone(),
            max_connections,
            acquire_timeout: Duration::from_secs(10),
            statement_limit: Duration::from_secs(60),
        };
        Store::connect(&options).await.unwrap()
    }

    /// Connects and migrates the schema.
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
