//! A `serve` process under a supervisor that restarts it, like systemd or Kubernetes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::harness::{Balancer, Bridge, Proxy, ServeProcess, signal};

/// A replica: its current process and its proxy to the database.
pub struct Replica {
    number: usize,
    pub bridge: Bridge,
    /// `None` for SQLite.
    pub proxy: Option<Proxy>,
    balancer: Arc<Balancer>,
    /// Locked during a fault, so that only one fault at a time affects the process.
    process: tokio::sync::Mutex<Option<ServeProcess>>,
    output: Mutex<Vec<u8>>,
    starts: Mutex<u64>,
}

impl Replica {
    pub fn new(
        number: usize,
        bridge: Bridge,
        proxy: Option<Proxy>,
        balancer: Arc<Balancer>,
    ) -> Self {
        let (process, output, starts) = Default::default();
        Self { number, bridge, proxy, balancer, process, output, starts }
    }

    /// Starts the process, and repeats that until it is up: without the database, it exits.
    pub async fn start(&self) {
        self.bring_up(&mut *self.process.lock().await).await;
    }

    async fn bring_up(&self, process: &mut Option<ServeProcess>) {
        loop {
            match ServeProcess::try_start(&self.bridge).await {
                Ok(started) => {
                    self.balancer.set(self.number, started.address);
                    *self.starts.lock().unwrap() += 1;
                    *process = Some(started);
                    return;
                }
                Err(output) => self.append_output(output),
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    fn append_output(&self, output: Vec<u8>) {
        self.output.lock().unwrap().extend(output);
    }

    /// Sends SIGKILL and restarts the process after `down`.
    pub async fn kill(&self, down: Duration) {
        let mut process = self.process.lock().await;
        self.append_output(self.take(&mut process).kill().await);
        tokio::time::sleep(down).await;
        self.bring_up(&mut process).await;
    }

    /// Sends SIGTERM and restarts the process after `down`.
    pub async fn terminate(&self, down: Duration) {
        let mut process = self.process.lock().await;
        self.shut_down(&mut process).await;
        tokio::time::sleep(down).await;
        self.bring_up(&mut process).await;
    }

    /// Sends SIGTERM without a restart.
    pub async fn stop(&self) {
        self.shut_down(&mut *self.process.lock().await).await;
    }

    async fn shut_down(&self, process: &mut Option<ServeProcess>) {
        let stopped = self.take(process).stop();
        let (code, output) = tokio::time::timeout(Duration::from_secs(25), stopped)
            .await
            .unwrap_or_else(|_| panic!("replica {} did not exit within 25 s", self.number));
        self.append_output(output);
        assert_eq!(code, Some(0), "exit code of replica {} after SIGTERM", self.number);
    }

    pub async fn freeze(&self, time: Duration) {
        let process = self.process.lock().await;
        let child = &process.as_ref().unwrap().child;
        signal(child, "STOP");
        tokio::time::sleep(time).await;
        signal(child, "CONT");
    }

    /// Takes the process. Panics if it has exited by itself.
    fn take(&self, process: &mut Option<ServeProcess>) -> ServeProcess {
        let mut taken = process.take().unwrap();
        if let Some(status) = taken.child.try_wait().unwrap() {
            self.append_output(taken.output());
            panic!("replica {} exited by itself: {status}", self.number);
        }
        taken
    }

    /// Kills the process, unless a fault holds it.
    pub fn abort(&self) {
        if let Ok(mut process) = self.process.try_lock() {
            drop(process.take());
        }
    }

    /// Whether `/readyz` of this replica answers 200.
    pub async fn is_ready(&self) -> bool {
        let process = self.process.lock().await;
        let answer = process.as_ref().unwrap().call("GET", "/readyz").try_send().await;
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// Returns how often the process was started successfully.
    pub fn starts(&self) -> u64 {
        *self.starts.lock().unwrap()
    }

    /// Returns the output of all its processes.
    pub fn output(&self) -> String {
        let mut output = self.output.lock().unwrap().clone();
        if let Ok(process) = self.process.try_lock() {
            output.extend(process.as_ref().map(ServeProcess::output).unwrap_or_default());
        }
        String::from_utf8_lossy(&output).into_owned()
    }
}
