//! Working on the queues: each account for itself, by every process that sends.
//!
//! A process takes up as many messages as it may send at once, and a few beyond: one of those leaves as
//! soon as a call has ended, while what came of that is noted. Where nothing is due, the queue costs one
//! look a second.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use metrics::gauge;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::claim::Batch;
use crate::model::{AppId, MessageState, Reason};
use crate::push::outcome::{count_failed, count_unknown};
use crate::push::{Push, Sender};
use crate::store::messages::{self, Outlook};
use crate::store::{self, AccountId, push_pace};

/// How often a queue is looked at without being told to: other processes accept messages too.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How soon it is looked at again where others took what was due.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Of the calls that may be under way, how many more messages are taken up: one in so many.
const ONE_BEYOND: usize = 2;

/// How often messages are looked for that were not sent in time.
const EXPIRE_EVERY: Duration = Duration::from_secs(60);

/// Messages given up at once.
const EXPIRED_AT_ONCE: usize = 500;

/// How long messages under way may take to end, once the process was asked to.
const LONGEST_END: Duration = Duration::from_secs(8);

impl Push {
    /// Sends what is queued, for every account, until `stop` fires. What has begun then ends, what has
    /// not is left to others.
    pub async fn work(self: Arc<Self>, stop: CancellationToken) {
        let queues = self.senders.keys().map(|appid| self.clone().work_on(appid, stop.clone()));
        let forget = stop.run_until_cancelled(self.forget_for_ever());
        tokio::join!(join_all(queues), forget);
    }

    /// The same for one account, where it is one of this service's.
    pub async fn work_on(self: Arc<Self>, appid: &AppId, stop: CancellationToken) {
        let Some(sender) = self.senders.get(appid) else { return };
        let mut queue = Queue::new(&self, sender, &stop);
        while !stop.is_cancelled() {
            let rest = queue.advance().await.unwrap_or_else(|error| {
                tracing::warn!(app.id = %appid, %error, "messages wait for the database");
                Rest::For(LOOK_EVERY)
            });
            queue.rest(rest).await;
        }
        queue.land().await;
    }
}

/// One account's queue, as one process works on it.
struct Queue<'a> {
    push: &'a Arc<Push>,
    sender: &'a Sender,
    stop: &'a CancellationToken,
    /// Known once the database answered.
    account: Option<AccountId>,
    flights: JoinSet<()>,
    expires_at: Instant,
}

/// What a queue waits for.
enum Rest {
    /// Nothing.
    None,
    /// A free place.
    Place,
    /// Time, whatever happens.
    For(Duration),
    /// Time, or whatever may have changed the queue.
    Unless(Duration),
}

impl<'a> Queue<'a> {
    fn new(push: &'a Arc<Push>, sender: &'a Sender, stop: &'a CancellationToken) -> Self {
        let (flights, expires_at) = (JoinSet::new(), Instant::now());
        Self { push, sender, stop, account: None, flights, expires_at }
    }

    fn appid(&self) -> &AppId {
        self.sender.wechat.appid()
    }

    /// Takes up what is due, as far as there are places.
    async fn advance(&mut self) -> Result<Rest, store::Error> {
        let account = self.account().await?;
        if self.expires_at <= Instant::now() {
            self.expire(account).await?;
            self.expires_at = Instant::now() + EXPIRE_EVERY;
        }
        while self.flights.try_join_next().is_some() {}
        // Where WeChat is busy fewer calls may be.
        let calls = self.push.settings.concurrency.min(self.sender.wechat.places());
        let room = (calls + calls.div_ceil(ONE_BEYOND)).saturating_sub(self.flights.len());
        if room == 0 {
            return Ok(Rest::Place);
        }
        let outlook = messages::outlook(self.push.store.reader(), account).await?;
        if let Some(wait) = wait(&outlook) {
            return Ok(Rest::Unless(wait.min(LOOK_EVERY)));
        }
        let Batch { messages, rest } = self.push.claim(account, room).await?;
        if let Some(rest) = rest {
            return Ok(Rest::For(rest.min(LOOK_EVERY)));
        }
        if messages.is_empty() {
            return Ok(Rest::Unless(LOOK_AGAIN));
        }
        for claimed in messages {
            if claimed.in_doubt && claimed.message.state != MessageState::Unknown {
                count_unknown(self.appid());
            }
            let (push, appid) = (self.push.clone(), self.appid().clone());
            self.flights.spawn(push.deliver(appid, claimed, self.stop.clone()));
        }
        Ok(Rest::None)
    }

    async fn account(&mut self) -> Result<AccountId, store::Error> {
        if let Some(account) = self.account {
            return Ok(account);
        }
        let store = &self.push.store;
        let account = self.push.accounts.number(store, self.appid()).await?;
        push_pace::ensure(store.writer(), account).await?;
        self.account = Some(account);
        Ok(account)
    }

    async fn rest(&mut self, rest: Rest) {
        let landing = async {
            match self.flights.join_next().await {
                Some(_) => {}
                None => std::future::pending().await,
            }
        };
        let wait = async {
            match rest {
                Rest::None => {}
                Rest::Place => landing.await,
                Rest::For(time) => tokio::time::sleep(time).await,
                Rest::Unless(time) => tokio::select! {
                    () = tokio::time::sleep(time) => {}
                    () = self.sender.wanted.notified() => {}
                    () = landing => {}
                },
            }
        };
        self.stop.run_until_cancelled(wait).await;
    }

    /// Gives up what was not sent in time, and tells how much waits.
    async fn expire(&self, account: AccountId) -> Result<(), store::Error> {
        let (store, settings) = (&self.push.store, &self.push.settings);
        let now = store.now().await?;
        let before = now - settings.expire_after.as_millis() as i64;
        loop {
            let expired =
                messages::expire(store.writer(), account, before, now, EXPIRED_AT_ONCE).await?;
            count_failed(self.appid(), Reason::Expired.as_str(), expired);
            if expired < EXPIRED_AT_ONCE as u64 {
                break;
            }
        }
        let waiting = messages::count_waiting(store.reader(), account).await?;
        let outlook = messages::outlook(store.reader(), account).await?;
        let late = outlook.due_at.map_or(0, |due_at| (outlook.now - due_at).max(0));
        let appid = || self.appid().to_string();
        gauge!("push_waiting", "app_id" => appid()).set(waiting as f64);
        gauge!("push_late_seconds", "app_id" => appid()).set(late as f64 / 1_000.0);
        Ok(())
    }

    /// Waits for what is under way.
    async fn land(mut self) {
        let landed = async { while self.flights.join_next().await.is_some() {} };
        if tokio::time::timeout(LONGEST_END, landed).await.is_err() {
            tracing::warn!(
                app.id = %self.appid(),
                messages = self.flights.len(),
                "WeChat did not answer in time; these messages are in doubt"
            );
        }
    }
}

/// How long nothing is due.
fn wait(outlook: &Outlook) -> Option<Duration> {
    let Outlook { now, due_at, held_until } = *outlook;
    let Some(due_at) = due_at else { return Some(LOOK_EVERY) };
    let wait = due_at.max(held_until) - now;
    (wait > 0).then(|| Duration::from_millis(wait.unsigned_abs()))
}
