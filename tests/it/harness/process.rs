//! The real command, in its own process.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use unionid_bridge::sandbox::Sandbox;
use unionid_bridge::store::{Options, Store};

use super::assert_mirrors;

/// The command with its own configuration and working directory.
pub struct Bridge {
    folder: TempDir,
    url: String,
    environment: Vec<(String, String)>,
}

impl Bridge {
    /// Configures the command for a sandbox and a SQLite file in its folder, plus the lines in `toml`.
    pub fn against(world: &Sandbox, toml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("bridge.db");
        let url = format!("sqlite://{}?mode=rwc", database.display());
        Self::write(folder, world, &url, toml)
    }

    /// Configures the command for a sandbox and an existing database.
    pub fn on(world: &Sandbox, url: &str, toml: &str) -> Self {
        Self::write(tempfile::tempdir().unwrap(), world, url, toml)
    }

    fn write(folder: TempDir, world: &Sandbox, url: &str, toml: &str) -> Self {
        let text = format!("{}\n[database]\nurl = '{url}'\n{toml}\n", world.config_toml());
        std::fs::write(folder.path().join("unionid-bridge.toml"), text).unwrap();
        Self { folder, url: url.to_owned(), environment: Vec::new() }
    }

    /// Adds an environment variable.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The working directory.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The path of the SQLite file, for [`Self::against`].
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("bridge.db")
    }

    /// Opens a separate connection to the database, for the test.
    pub async fn store(&self) -> Store {
        let options = Options {
            url: self.url.clone(),
            max_connections: 2,
            acquire_timeout: Duration::from_secs(10),
            statement_limit: Duration::from_secs(60),
        };
        Store::connect(&options).await.unwrap()
    }

    /// Asserts that the mirror of the sandbox's first account is correct (I1, I2, I3).
    pub async fn assert_mirrors(&self, world: &Sandbox) {
        let store = self.store().await;
        assert_mirrors(&store, world, &world.main().appid().parse().unwrap(), &[]).await;
        store.close().await.unwrap();
    }

    /// Builds the command with its output captured.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unionid-bridge"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Starts the command without waiting for it.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// Runs the command and waits until it exits.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().await.unwrap()
    }

    /// Creates an API key with these scopes and returns its text.
    pub async fn key(&self, scopes: &str) -> String {
        let made = self.json(&["keys", "create", "--name", "test", "--scope", scopes]).await;
        made["key"].as_str().unwrap().to_owned()
    }

    /// Runs the command with `--json` and parses its output.
    pub async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat()).await;
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{error}: {text:?}, {}", stderr(&output)))
    }
}

/// Sends a signal to a running command: `TERM`, `INT`, `KILL`, `STOP`, `CONT`.
pub fn signal(child: &Child, name: &str) {
    let id = child.id().unwrap().to_string();
    let sent = std::process::Command::new("kill").args(["-s", name, &id]).status().unwrap();
    assert!(sent.success(), "SIG{name} was not sent");
}

/// Polls until a condition holds. Panics after a minute.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Polls until an asynchronous condition holds. Panics after a minute.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a process is stopped (SIGSTOP), as a failpoint with `return(stop)` does.
pub async fn until_stopped(child: &Child) {
    let file = format!("/proc/{}/stat", child.id().unwrap());
    // The state follows the name in parentheses; `T` means stopped.
    let is_stopped = || std::fs::read_to_string(&file).unwrap().contains(") T ");
    until("the process to be stopped", is_stopped).await;
}

/// Whether `FULL_FAULTS=1` asks for exhaustive fault tests.
pub fn full_faults() -> bool {
    std::env::var("FULL_FAULTS").is_ok_and(|value| value == "1")
}

/// Returns the text that a command wrote to stderr.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Returns the peak resident memory of a process in KiB.
pub fn peak_memory_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
