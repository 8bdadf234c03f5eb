//! The delivery worker: every sending process runs one per account.
//!
//! A worker claims as many messages as it may send concurrently, and a few more, so that the next
//! message can be sent while the outcome of the previous one is recorded. An idle queue costs one
//! query per second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::claim::{ClaimRequest, Claimed};
use crate::model::{AppId, OpenId, Reason};
use crate::push::outcome::{count_failed, count_unknown};
use crate::push::{Push, Sender};
use crate::store::messages::{self, QueueStatus};
use crate::store::{self, AccountId, push_pace};

/// How often an idle queue is polled: other processes accept messages too.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Delay before the next poll if other processes claimed what was due.
const CONTENDED_DELAY: Duration = Duration::from_millis(20);

/// Longest wait for the answer to another message to the same user. An answer wakes the worker
/// earlier.
const USER_BUSY_DELAY: Duration = Duration::from_millis(250);

/// One extra message is claimed for this many concurrent calls.
const CALLS_PER_EXTRA_CLAIM: usize = 2;

/// How long sends in flight may take to finish during shutdown.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(8);

impl Push {
    /// Sends queued messages of all accounts until `stop` fires. Sends in flight then finish, and
    /// other processes send the rest.
    pub async fn work(self: Arc<Self>, stop: CancellationToken) {
        let queues = self.senders.keys().map(|appid| self.clone().work_on(appid, stop.clone()));
        let cleanup = stop.run_until_cancelled(self.cleanup_loop());
        tokio::join!(join_all(queues), cleanup);
    }

    /// Works on one account's queue. Returns at once if the account does not send.
    pub async fn work_on(self: Arc<Self>, appid: &AppId, stop: CancellationToken) {
        let Some(sender) = self.senders.get(appid) else { return };
        let mut queue = Queue::new(&self, sender, &stop);
        while !stop.is_cancelled() {
            let wait = queue.advance().await.unwrap_or_else(|error| {
                tracing::warn!(app.id = %appid, %error, "could not read the message queue, trying again");
                Wait::Fixed(POLL_INTERVAL)
            });
            queue.wait(wait).await;
        }
        queue.drain().await;
    }
}

/// One account's queue, as seen by one process.
struct Queue<'a> {
    push: &'a Arc<Push>,
    sender: &'a Sender,
    stop: &'a CancellationToken,
    /// `None` until the database has answered.
    account: Option<AccountId>,
    in_flight: JoinSet<()>,
    /// The recipient of each send in flight, by task.
    openids: HashMap<Id, OpenId>,
    expires_at: Instant,
}

/// What the worker waits for before it continues.
enum Wait {
    /// Continues at once.
    None,
    /// A send in flight to finish.
    Capacity,
    /// A fixed time.
    Fixed(Duration),
    /// A time, or an event that may have changed the queue.
    UntilWoken(Duration),
}

impl<'a> Queue<'a> {
    fn new(push: &'a Arc<Push>, sender: &'a Sender, stop: &'a CancellationToken) -> Self {
        let (in_flight, openids, expires_at) = (JoinSet::new(), HashMap::new(), Instant::now());
        Self { push, sender, stop, account: None, in_flight, openids, expires_at }
    }

    fn appid(&self) -> &AppId {
        self.sender.wechat.appid()
    }

    /// Claims due messages, as far as there is capacity.
    async fn advance(&mut self) -> Result<Wait, store::Error> {
        let account = self.account().await?;
        if self.expires_at <= Instant::now() {
            self.expires_at = Instant::now() + self.push.expire(self.appid(), account).await;
        }
        while let Some(finished) = self.in_flight.try_join_next_with_id() {
            self.remove_finished(&finished);
        }
        // The client lowers its concurrency while WeChat is busy.
        let calls = self.push.settings.concurrency.min(self.sender.wechat.concurrency());
        let capacity =
            (calls + calls.div_ceil(CALLS_PER_EXTRA_CLAIM)).saturating_sub(self.in_flight.len());
        if capacity == 0 {
            return Ok(Wait::Capacity);
        }
        let outlook = messages::queue_status(self.push.store.reader(), account).await?;
        if let Some(idle) = idle_time(&outlook) {
            return Ok(Wait::UntilWoken(idle.min(POLL_INTERVAL)));
        }
        self.claim_batch(account, capacity).await
    }

    async fn claim_batch(
        &mut self,
        account: AccountId,
        capacity: usize,
    ) -> Result<Wait, store::Error> {
        let busy_openids = self.openids.values().cloned().collect();
        let channel = self.sender.channel;
        let batch = self
            .push
            .claim(ClaimRequest { account, channel, capacity, busy_openids: &busy_openids })
            .await?;
        if batch.expired > 0 {
            count_failed(self.appid(), Reason::Expired.as_str(), batch.expired);
        }
        if batch.newly_unknown > 0 {
            count_unknown(self.appid(), batch.newly_unknown);
        }
        if let Some(delay) = batch.retry_after {
            return Ok(Wait::Fixed(delay.min(POLL_INTERVAL)));
        }
        let is_empty = batch.messages.is_empty();
        batch.messages.into_iter().for_each(|claimed| self.spawn(claimed));
        Ok(match is_empty {
            true if batch.not_sent > 0 => Wait::None,
            true if batch.is_user_busy => Wait::UntilWoken(USER_BUSY_DELAY),
            true => Wait::UntilWoken(CONTENDED_DELAY),
            false => Wait::None,
        })
    }

    fn spawn(&mut self, claimed: Claimed) {
        let openid = claimed.message.route.openid.clone();
        let (push, appid) = (self.push.clone(), self.appid().clone());
        let task = self.in_flight.spawn(push.deliver(appid, claimed, self.stop.clone()));
        self.openids.insert(task.id(), openid);
    }

    fn remove_finished(&mut self, result: &Result<(Id, ()), JoinError>) {
        let id = match result {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.openids.remove(&id);
    }

    async fn account(&mut self) -> Result<AccountId, store::Error> {
        if let Some(account) = self.account {
            return Ok(account);
        }
        let store = &self.push.store;
        let account = self.push.accounts.account_id(store, self.appid()).await?;
        push_pace::ensure(store.writer(), account).await?;
        self.account = Some(account);
        Ok(account)
    }

    async fn wait(&mut self, wait: Wait) {
        let openids = &mut self.openids;
        let finishing = async {
            match self.in_flight.join_next_with_id().await {
                Some(Ok((id, ()))) => openids.remove(&id),
                Some(Err(error)) => openids.remove(&error.id()),
                None => std::future::pending().await,
            };
        };
        let waiting = async {
            match wait {
                Wait::None => {}
                Wait::Capacity => finishing.await,
                Wait::Fixed(time) => tokio::time::sleep(time).await,
                Wait::UntilWoken(time) => tokio::select! {
                    () = tokio::time::sleep(time) => {}
                    () = self.sender.wake.notified() => {}
                    () = finishing => {}
                },
            }
        };
        self.stop.run_until_cancelled(waiting).await;
    }

    /// Waits for the sends in flight, at most [`SHUTDOWN_TIMEOUT`].
    async fn drain(mut self) {
        let all_finished = async { while self.in_flight.join_next().await.is_some() {} };
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, all_finished).await.is_err() {
            tracing::warn!(
                app.id = %self.appid(),
                messages = self.in_flight.len(),
                "WeChat did not answer before shutdown; the outcome of these messages is unknown"
            );
        }
    }
}

/// Returns how long no message is due, or `None` if one is due now.
fn idle_time(outlook: &QueueStatus) -> Option<Duration> {
    let QueueStatus { now, due_at, held_until } = *outlook;
    let Some(due_at) = due_at else { return Some(POLL_INTERVAL) };
    let wait = due_at.max(held_until) - now;
    (wait > 0).then(|| Duration::from_millis(wait.unsigned_abs()))
}
