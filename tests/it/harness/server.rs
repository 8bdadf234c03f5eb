//! A private database server that a test may kill: on a free loopback port, with its data in a temporary
//! folder, under an unprivileged user.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use sea_orm::Database;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{Backend, Need, signal};

/// Startup timeout. A server that was killed has to replay its log.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The folder where Debian installs PostgreSQL's programs, outside the `PATH`.
const POSTGRES_FOLDER: &str = "/usr/lib/postgresql";

/// Creates MariaDB's user at each start.
const INIT_SQL: &str = "CREATE DATABASE IF NOT EXISTS test;\n\
                       CREATE USER IF NOT EXISTS root@'127.0.0.1';\n\
                       GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n";

/// How a server is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// SIGKILL, as after a machine failure.
    Killed,
    /// An orderly shutdown that disconnects clients.
    Stopped,
}

/// A database server, killed when dropped.
pub struct Server {
    pub url: String,
    backend: Backend,
    port: u16,
    user: Option<(u32, u32)>,
    folder: TempDir,
    process: Option<Child>,
}

impl Server {
    /// Starts a new server. Returns `None` if its programs or a user to run it as are missing.
    pub async fn start(backend: Backend) -> Option<Self> {
        let (program, user) = match Self::program_and_user(backend).await {
            Some(found) => found,
            None => {
                let why = format!("no {backend:?} server program, or no user to run it as");
                Need::Servers.is_missing(&why);
                return None;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        std::fs::write(folder.path().join("initial.sql"), INIT_SQL).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = match backend {
            Backend::Postgres => format!("postgres://postgres@127.0.0.1:{port}/postgres"),
            _ => format!("mysql://root@127.0.0.1:{port}/test"),
        };
        let mut server = Self { url, backend, port, user, folder, process: None };
        server.create_data(&program).await;
        server.restart().await;
        Some(server)
    }

    /// Returns the server program and the user to run it as.
    async fn program_and_user(backend: Backend) -> Option<(PathBuf, Option<(u32, u32)>)> {
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

    async fn create_data(&self, program: &Path) {
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
        let status = command.status().await.unwrap();
        assert!(status.success(), "{:?} could not create its data: {status}", self.backend);
    }

    /// Starts the server again and waits until it answers.
    pub async fn restart(&mut self) {
        let deadline = Instant::now() + START_TIMEOUT;
        let program = program(self.backend).unwrap();
        loop {
            let ended = self.process.as_mut().is_none_or(|p| p.try_wait().unwrap().is_some());
            if ended {
                // After a kill, orphaned child processes may delay the start: it has to be repeated.
                self.process = Some(self.spawn(&program));
            }
            if let Ok(connection) = Database::connect(&self.url).await {
                return connection.close().await.unwrap();
            }
            assert!(Instant::now() < deadline, "{:?} does not answer", self.backend);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn spawn(&self, program: &Path) -> Child {
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

    /// Ends the server and waits until it exits.
    pub async fn end(&mut self, ending: Ending) {
        let mut process = self.process.take().unwrap();
        let name = match (ending, self.backend) {
            (Ending::Killed, _) => "KILL",
            // A fast shutdown: does not wait for clients to disconnect.
            (Ending::Stopped, Backend::Postgres) => "INT",
            (Ending::Stopped, _) => "TERM",
        };
        signal(&process, name);
        process.wait().await.unwrap();
    }
}

/// Returns the path of the server program.
fn program(backend: Backend) -> Option<PathBuf> {
    match backend {
        Backend::Sqlite => None,
        Backend::Postgres => {
            let versions = std::fs::read_dir(POSTGRES_FOLDER).ok()?.flatten();
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

/// The user that the server's package creates. Both servers refuse to run as root.
fn user_name(backend: Backend) -> Option<&'static str> {
    match backend {
        Backend::Sqlite => None,
        Backend::Postgres => Some("postgres"),
        Backend::Mysql => Some("mysql"),
    }
}

/// Returns the uid and gid to run the server as: those of `name` if the test runs as root, otherwise
/// `Some(None)` for the current user. Returns `None` if the test runs as root and `name` does not exist.
async fn user(name: &str) -> Option<Option<(u32, u32)>> {
    if id(&["-u"]).await? != 0 {
        return Some(None);
    }
    Some(Some((id(&["-u", name]).await?, id(&["-g", name]).await?)))
}

async fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().await.ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
