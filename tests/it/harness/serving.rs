//! `serve` in a process of its own, with everything that it said.

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

/// The command at work, killed when it is dropped.
pub struct Serving {
    pub child: Child,
    pub address: SocketAddr,
    said: Arc<Mutex<Vec<u8>>>,
    heard: Vec<JoinHandle<()>>,
    client: Client,
}

impl Serving {
    /// Starts it on a free port and waits until it listens.
    pub async fn start(bridge: &Bridge) -> Self {
        let started = Self::try_start(bridge).await;
        started.unwrap_or_else(|said| panic!("it ended: {}", String::from_utf8_lossy(&said)))
    }

    /// The same; where it ends before it listens, what it said.
    pub async fn try_start(bridge: &Bridge) -> Result<Self, Vec<u8>> {
        let mut child = bridge.start(&["serve", "--listen", "127.0.0.1:0"]);
        let said = Arc::new(Mutex::new(Vec::new()));
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let heard = vec![
            tokio::spawn(hear(stdout, said.clone())),
            tokio::spawn(hear(stderr, said.clone())),
        ];
        let deadline = Instant::now() + Duration::from_secs(60);
        let address = loop {
            if let Some(address) = listens(&said) {
                break address;
            }
            if child.try_wait().unwrap().is_some() {
                for heard in heard {
                    heard.await.unwrap();
                }
                return Err(std::mem::take(&mut *said.lock().unwrap()));
            }
            assert!(Instant::now() < deadline, "waited for serve to listen in vain");
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        Ok(Self { child, address, said, heard, client: client() })
    }

    /// What it has said so far, on stdout and stderr.
    pub fn said(&self) -> Vec<u8> {
        self.said.lock().unwrap().clone()
    }

    /// A request of any method, without a body; the path may have a query string.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::at(&self.client, self.address, method, path)
    }

    /// Ends it as an operator does; gives its exit code and all it said, on stdout and stderr.
    pub async fn stop(self) -> (Option<i32>, Vec<u8>) {
        signal(&self.child, "TERM");
        self.ended().await
    }

    /// Ends it as a failing machine does; gives all it said.
    pub async fn kill(self) -> Vec<u8> {
        signal(&self.child, "KILL");
        self.ended().await.1
    }

    async fn ended(self) -> (Option<i32>, Vec<u8>) {
        let (status, said) = self.died().await;
        (status.code(), said)
    }

    /// Waits for its end; gives how that came and all it said.
    pub async fn died(mut self) -> (ExitStatus, Vec<u8>) {
        let status = self.child.wait().await.unwrap();
        for heard in self.heard {
            heard.await.unwrap();
        }
        let said = std::mem::take(&mut *self.said.lock().unwrap());
        (status, said)
    }
}

/// Reads on, so that a full pipe never holds the process up.
async fn hear(mut pipe: impl AsyncRead + Unpin, said: Arc<Mutex<Vec<u8>>>) {
    let mut part = [0; 4096];
    while let Ok(length @ 1..) = pipe.read(&mut part).await {
        said.lock().unwrap().extend_from_slice(&part[..length]);
    }
}

/// Where it says that it listens.
fn listens(said: &Mutex<Vec<u8>>) -> Option<SocketAddr> {
    let said = String::from_utf8_lossy(&said.lock().unwrap()).into_owned();
    let line = said.split_inclusive('\n').find(|line| line.starts_with("listening on http://"))?;
    line.strip_suffix('\n')?.strip_prefix("listening on http://")?.parse().ok()
}
