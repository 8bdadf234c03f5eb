//! A database server of a test's own, which it may kill: on a free port of loopback, with its data in a
//! temporary folder, and as a user that it runs as.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use sea_orm::Database;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{Backend, Need, signal};

/// How long a server may take to come up; one that was killed has its log to replay.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where Debian keeps PostgreSQL's programs, off the `PATH`.
const POSTGRES: &str = "/usr/lib/postgresql";

/// Makes MariaDB's user, at each start.
const INITIAL: &str = "CREATE DATABASE IF NOT EXISTS test;\n\
                       CREATE USER IF NOT EXISTS root@'127.0.0.1';\n\
                       GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n";

/// How a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As a failing machine ends it.
    Killed,
    /// As an operator does, whoever is connected.
    Stopped,
}

/// A server, killed when it is dropped.
pub struct Server {
    pub url: String,
    backend: Backend,
    port: u16,
    user: Option<(u32, u32)>,
    folder: TempDir,
    process: Option<Child>,
}

impl Server {
    /// A new one, running; `None` where its programs are not found, or there is no user to run it as.
    pub async fn start(backend: Backend) -> Option<Self> {
        let (program, user) = match Self::means(backend).await {
            Some(means) => means,
            None => {
                let why = format!("no program of {backend:?}, or no user to run it as, is found");
                Need::Servers.is_missing(&why);
                return None;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        std::fs::write(folder.path().join("initial.sql"), INITIAL).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = match backend {
            Backend::Postgres => format!("postgres://postgres@127.0.0.1:{port}/postgres"),
            _ => format!("mysql://root@127.0.0.1:{port}/test"),
        };
        let mut server = Self { url, backend, port, user, folder, process: None };
        server.initialise(&program).await;
        server.restart().await;
        Some(server)
    }

    /// Its program, and who it runs as.
    async fn means(backend: Backend) -> Option<(PathBuf, Option<(u32, u32)>)> {
        let (program, name) = (program(backend)?, user_name(backend)?);
        Some((program, user(name).await?))
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command.current_dir(self.folder.path()).stdin(Stdio::null()).kill_on_drop(true);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    async fn initialise(&self, program: &Path) {
        let mut command = match self.backend {
            Backend::Postgres => {
                let mut command = self.command(&program.with_file_name("initdb"));
                command.args(["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
                command.arg("-D").arg(self.data());
                command
            }
            _ => {
                let mut command = self.command(Path::new("mariadb-install-db"));
                command.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
                command.arg("--skip-test-db").arg(format!("--datadir={}", self.data().display()));
                command
            }
        };
        let made = command.status().await.unwrap();
        assert!(made.success(), "{:?} could not make its data: {made}", self.backend);
    }

    /// Starts it again, and waits until it answers.
    pub async fn restart(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let program = program(self.backend).unwrap();
        loop {
            let ended = self.process.as_mut().is_none_or(|p| p.try_wait().unwrap().is_some());
            if ended {
                // One that was killed may leave children, who have to notice first.
                self.process = Some(self.serve(&program));
            }
            if let Ok(connection) = Database::connect(&self.url).await {
                return connection.close().await.unwrap();
            }
            assert!(Instant::now() < deadline, "{:?} does not answer", self.backend);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn serve(&self, program: &Path) -> Child {
        let (mut command, folder) = (self.command(program), self.folder.path().display());
        let data = self.data();
        match self.backend {
            Backend::Postgres => {
                command.arg("-D").arg(data).args(["-c", "listen_addresses=127.0.0.1"]);
                command.args(["-c", &format!("port={}", self.port)]);
                command.args(["-c", &format!("unix_socket_directories={folder}")])
            }
            _ => {
                command.args(["--no-defaults", "--bind-address=127.0.0.1"]);
                command.args(["--skip-name-resolve", "--innodb-buffer-pool-size=64M"]);
                command.arg(format!("--datadir={}", data.display()));
                command.arg(format!("--port={}", self.port));
                command.arg(format!("--socket={folder}/socket"));
                command.arg(format!("--init-file={folder}/initial.sql"))
            }
        };
        command.spawn().unwrap()
    }

    /// Ends it, and waits for that.
    pub async fn end(&mut self, ending: Ending) {
        let mut process = self.process.take().unwrap();
        let name = match (ending, self.backend) {
            (Ending::Killed, _) => "KILL",
            // It does not wait for whoever is connected.
            (Ending::Stopped, Backend::Postgres) => "INT",
            (Ending::Stopped, _) => "TERM",
        };
        signal(&process, name);
        process.wait().await.unwrap();
    }
}

/// The server's program.
fn program(backend: Backend) -> Option<PathBuf> {
    match backend {
        Backend::Sqlite => None,
        Backend::Postgres => {
            let versions = std::fs::read_dir(POSTGRES).ok()?.flatten();
            let programs = versions.map(|version| version.path().join("bin/postgres"));
            programs.filter(|program| program.exists()).max()
        }
        Backend::Mysql => {
            let folders = ["/usr/sbin", "/usr/bin", "/usr/local/bin"];
            let programs = folders.iter().map(|folder| Path::new(folder).join("mariadbd"));
            programs.into_iter().find(|program| program.exists())
        }
    }
}

/// The user that its package makes for it: both servers refuse to be root's.
fn user_name(backend: Backend) -> Option<&'static str> {
    match backend {
        Backend::Sqlite => None,
        Backend::Postgres => Some("postgres"),
        Backend::Mysql => Some("mysql"),
    }
}

/// Who it runs as, by number: that user where we are root, otherwise ourselves. `None` where we are root
/// and there is no such user.
async fn user(name: &str) -> Option<Option<(u32, u32)>> {
    if number(&["-u"]).await? != 0 {
        return Some(None);
    }
    Some(Some((number(&["-u", name]).await?, number(&["-g", name]).await?)))
}

async fn number(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().await.ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
