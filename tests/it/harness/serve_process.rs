//! `serve` in its own process, with its output captured.

use std::net::SocketAddr;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::Client;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;
use tokio::task::JoinHandle;

use super::service::{Call, client};
use super::{Bridge, signal};

/// A running `serve`, killed when dropped.
pub struct ServeProcess {
    pub child: Child,
    pub address: SocketAddr,
    output: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
    client: Client,
}

impl ServeProcess {
    /// Starts `serve` on a free port and waits until it listens.
    pub async fn start(bridge: &Bridge) -> Self {
        let started = Self::try_start(bridge).await;
        started.unwrap_or_else(|output| {
            panic!("serve exited: {}", String::from_utf8_lossy(&output));
        })
    }

    /// Like [`Self::start`]. If `serve` exits before it listens, returns its output.
    pub async fn try_start(bridge: &Bridge) -> Result<Self, Vec<u8>> {
        let mut child = bridge.start(&["serve", "--listen", "127.0.0.1:0"]);
        let output = Arc::new(Mutex::new(Vec::new()));
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let readers = vec![
            tokio::spawn(read(stdout, output.clone())),
            tokio::spawn(read(stderr, output.clone())),
        ];
        let deadline = Instant::now() + Duration::from_secs(60);
        let address = loop {
            if let Some(address) = listen_address(&output) {
                break address;
            }
            if child.try_wait().unwrap().is_some() {
                for reader in readers {
                    reader.await.unwrap();
                }
                return Err(std::mem::take(&mut *output.lock().unwrap()));
            }
            assert!(Instant::now() < deadline, "timed out waiting for serve to listen");
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        Ok(Self { child, address, output, readers, client: client() })
    }

    /// Returns the output so far, stdout and stderr together.
    pub fn output(&self) -> Vec<u8> {
        self.output.lock().unwrap().clone()
    }

    /// A request with any method, without a body. The path may have a query string.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::at(&self.client, self.address, method, path)
    }

    /// Sends SIGTERM. Returns the exit code and the whole output.
    pub async fn stop(self) -> (Option<i32>, Vec<u8>) {
        signal(&self.child, "TERM");
        let (status, output) = self.wait().await;
        (status.code(), output)
    }

    /// Sends SIGKILL. Returns the whole output.
    pub async fn kill(self) -> Vec<u8> {
        signal(&self.child, "KILL");
        self.wait().await.1
    }

    /// Waits until the process exits. Returns its status and the whole output.
    pub async fn wait(mut self) -> (ExitStatus, Vec<u8>) {
        let status = self.child.wait().await.unwrap();
        for reader in self.readers {
            reader.await.unwrap();
        }
        let output = std::mem::take(&mut *self.output.lock().unwrap());
        (status, output)
    }
}

/// Reads a pipe continuously, so that a full pipe never blocks the process.
async fn read(mut pipe: impl AsyncRead + Unpin, output: Arc<Mutex<Vec<u8>>>) {
    let mut part = [0; 4096];
    while let Ok(length @ 1..) = pipe.read(&mut part).await {
        output.lock().unwrap().extend_from_slice(&part[..length]);
    }
}

/// Returns the address from the line `listening on http://...`.
fn listen_address(output: &Mutex<Vec<u8>>) -> Option<SocketAddr> {
    let output = String::from_utf8_lossy(&output.lock().unwrap()).into_owned();
    let line =
        output.split_inclusive('\n').find(|line| line.starts_with("listening on http://"))?;
    line.strip_suffix('\n')?.strip_prefix("listening on http://")?.parse().ok()
}
