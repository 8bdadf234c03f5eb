//! The real command, in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use unionid_bridge::sandbox::Sandbox;
use unionid_bridge::store::{Options, Store};

use super::assert_mirrors;

/// The command with a configuration and a folder of its own.
pub struct Bridge {
    folder: TempDir,
    url: String,
    environment: Vec<(String, String)>,
}

impl Bridge {
    /// Against a sandbox, on a SQLite file in the folder, with more lines of configuration.
    pub fn against(world: &Sandbox, toml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("bridge.db");
        let url = format!("sqlite://{}?mode=rwc", database.display());
        Self::write(folder, world, &url, toml)
    }

    /// Against a sandbox, on a database that is there already.
    pub fn on(world: &Sandbox, url: &str, toml: &str) -> Self {
        Self::write(tempfile::tempdir().unwrap(), world, url, toml)
    }

    fn write(folder: TempDir, world: &Sandbox, url: &str, toml: &str) -> Self {
        let text = format!("{}\n[database]\nurl = '{url}'\n{toml}\n", world.config_toml());
        std::fs::write(folder.path().join("unionid-bridge.toml"), text).unwrap();
        Self { folder, url: url.to_owned(), environment: Vec::new() }
    }

    /// With a variable in its environment.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where it runs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its SQLite file, where it has one of its own.
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("bridge.db")
    }

    /// A connection of the test's own to its database.
    pub async fn store(&self) -> Store {
        let options = Options {
            url: self.url.clone(),
            max_connections: 2,
            acquire_timeout: Duration::from_secs(10),
            statement_limit: Duration::from_secs(60),
        };
        Store::connect(&options).await.unwrap()
    }

    /// I1, I2, I3: its mirror of the sandbox's first account is true.
    pub async fn assert_mirrors(&self, world: &Sandbox) {
        let store = self.store().await;
        assert_mirrors(&store, world, &world.main().appid().parse().unwrap(), &[]).await;
        store.close().await.unwrap();
    }

    /// The command, not yet started, its output kept.
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

    /// Starts it and goes on.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// Runs it to its end.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().await.unwrap()
    }

    /// Makes an API key with these scopes, and gives its text.
    pub async fn key(&self, scopes: &str) -> String {
        let made = self.json(&["keys", "create", "--name", "test", "--scope", scopes]).await;
        made["key"].as_str().unwrap().to_owned()
    }

    /// Runs it to its end and reads its JSON, which must be there.
    pub async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat()).await;
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{error}: {text:?}, {}", talk(&output)))
    }
}

/// Sends a running command a signal: `TERM`, `INT`, `KILL`, `STOP`, `CONT`.
pub fn signal(child: &Child, name: &str) {
    let id = child.id().unwrap().to_string();
    let sent = std::process::Command::new("kill").args(["-s", name, &id]).status().unwrap();
    assert!(sent.success(), "SIG{name} was not sent");
}

/// Waits until something holds, for no longer than a minute.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "waited for {what} in vain");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until the database or a service says so, for no longer than a minute.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < deadline, "waited for {what} in vain");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a command has been stopped, as a failpoint with `return(stop)` does.
pub async fn until_stopped(child: &Child) {
    let file = format!("/proc/{}/stat", child.id().unwrap());
    // Behind the name in brackets stands the state: `T` for one that was stopped.
    let is_stopped = || std::fs::read_to_string(&file).unwrap().contains(") T ");
    until("the process to be stopped", is_stopped).await;
}

/// Whether the faults are to be tested in full: `FULL_FAULTS=1`.
pub fn full_faults() -> bool {
    std::env::var("FULL_FAULTS").is_ok_and(|value| value == "1")
}

/// What it said on stderr.
pub fn talk(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The most memory that a process has had, in KiB.
pub fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
