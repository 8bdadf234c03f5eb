//! Callbacks without HTTP: passes the sandbox's envelopes to the inbox.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use unionid_bridge::inbox;
use unionid_bridge::sandbox::{Account, Callback, Envelope, Event, Options, Sandbox};

use super::TestApp;
use super::mirror::Mirrored;

/// A sandbox with callbacks in safe mode. Their URL leads nowhere.
pub async fn calling_back(followers: u64) -> Sandbox {
    let options = Options::with_followers(followers);
    let url = "http://127.0.0.1:9/v1/callbacks/{appid}";
    Sandbox::start(options.callbacks(|appid, _| Some(Callback::made(url, 1, appid)))).await.unwrap()
}

impl TestApp {
    /// Passes an envelope to the inbox and returns the result.
    pub async fn receive(
        &self,
        account: &Account,
        envelope: &Envelope,
    ) -> Result<(), inbox::Error> {
        let appid = account.appid().parse().unwrap();
        self.app.inbox.admit(&appid, &envelope.query)?.receive(&envelope.body).await
    }

    /// Passes an event to the inbox, which must accept it.
    pub async fn receive_event(&self, account: &Account, event: Event) {
        let envelope = account.envelope(event).unwrap();
        self.receive(account, &envelope).await.unwrap();
    }

    /// Runs the inbox's background work (profile checks, early receipts) until the handle is dropped.
    pub fn run_profile_checks(&self) -> AbortOnDropHandle<()> {
        let inbox = Arc::clone(&self.app.inbox);
        AbortOnDropHandle::new(tokio::spawn(inbox.work(CancellationToken::new())))
    }

    /// Waits up to 20 s until the mirror contains `expected` for this openid.
    pub async fn wait_for_follower(&self, openid: &str, expected: Option<Mirrored>) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let found = self.mirror().await.remove(openid);
            if found == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{openid} is {found:?}, not {expected:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
