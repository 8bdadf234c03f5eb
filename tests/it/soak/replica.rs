//! One `serve` process under a supervisor, as systemd or Kubernetes would have it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::harness::{Balancer, Bridge, Proxy, Serving, signal};

/// A place for a process, and its way to the database.
pub struct Replica {
    number: usize,
    pub bridge: Bridge,
    /// `None` where the database is a file.
    pub proxy: Option<Proxy>,
    balancer: Arc<Balancer>,
    /// Held while something happens to it: one thing at a time.
    serving: tokio::sync::Mutex<Option<Serving>>,
    said: Mutex<Vec<u8>>,
    starts: Mutex<u64>,
}

impl Replica {
    pub fn new(
        number: usize,
        bridge: Bridge,
        proxy: Option<Proxy>,
        balancer: Arc<Balancer>,
    ) -> Self {
        let (serving, said, starts) = Default::default();
        Self { number, bridge, proxy, balancer, serving, said, starts }
    }

    /// Starts it, again and again where the database does not let it: it is up when this returns.
    pub async fn start(&self) {
        self.up(&mut *self.serving.lock().await).await;
    }

    async fn up(&self, serving: &mut Option<Serving>) {
        loop {
            match Serving::try_start(&self.bridge).await {
                Ok(started) => {
                    self.balancer.set(self.number, started.address);
                    *self.starts.lock().unwrap() += 1;
                    *serving = Some(started);
                    return;
                }
                Err(said) => self.note(said),
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    fn note(&self, said: Vec<u8>) {
        self.said.lock().unwrap().extend(said);
    }

    pub async fn kill(&self, down: Duration) {
        let mut serving = self.serving.lock().await;
        self.note(self.taken(&mut serving).kill().await);
        tokio::time::sleep(down).await;
        self.up(&mut serving).await;
    }

    pub async fn terminate(&self, down: Duration) {
        let mut serving = self.serving.lock().await;
        self.end(&mut serving).await;
        tokio::time::sleep(down).await;
        self.up(&mut serving).await;
    }

    /// Ends it for good, as an operator does.
    pub async fn stop(&self) {
        self.end(&mut *self.serving.lock().await).await;
    }

    async fn end(&self, serving: &mut Option<Serving>) {
        let ended = self.taken(serving).stop();
        let (code, said) = tokio::time::timeout(Duration::from_secs(25), ended)
            .await
            .unwrap_or_else(|_| panic!("replica {} did not end within 25 s", self.number));
        self.note(said);
        assert_eq!(code, Some(0), "replica {} on SIGTERM", self.number);
    }

    pub async fn freeze(&self, time: Duration) {
        let serving = self.serving.lock().await;
        let child = &serving.as_ref().unwrap().child;
        signal(child, "STOP");
        tokio::time::sleep(time).await;
        signal(child, "CONT");
    }

    /// It must not have ended by itself.
    fn taken(&self, serving: &mut Option<Serving>) -> Serving {
        let mut taken = serving.take().unwrap();
        if let Some(status) = taken.child.try_wait().unwrap() {
            self.note(taken.said());
            panic!("replica {} ended by itself: {status}", self.number);
        }
        taken
    }

    /// Ends it at once, where nobody looks after it any more.
    pub fn abandon(&self) {
        if let Ok(mut serving) = self.serving.try_lock() {
            drop(serving.take());
        }
    }

    /// Answers its own probes, past the balancer.
    pub async fn is_ready(&self) -> bool {
        let serving = self.serving.lock().await;
        let answer = serving.as_ref().unwrap().call("GET", "/readyz").try_send().await;
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// How often it came up.
    pub fn starts(&self) -> u64 {
        *self.starts.lock().unwrap()
    }

    /// Everything that its processes said.
    pub fn said(&self) -> String {
        let mut said = self.said.lock().unwrap().clone();
        if let Ok(serving) = self.serving.try_lock() {
            said.extend(serving.as_ref().map(Serving::said).unwrap_or_default());
        }
        String::from_utf8_lossy(&said).into_owned()
    }
}
