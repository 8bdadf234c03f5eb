//! Working on the queues: each account for itself, by every process that sends.
//!
//! A process takes up as many messages as it may send at once, and a few beyond: one of those leaves as
//! soon as a call has ended, while what came of that is noted. Where nothing is due, the queue costs one
//! look a second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::claim::{Claimed, Taker};
use crate::model::{AppId, OpenId, Reason};
use crate::push::outcome::{count_failed, count_unknown};
use crate::push::{Push, Sender};
use crate::store::messages::{self, Outlook};
use crate::store::{self, AccountId, push_pace};

/// How often a queue is looked at without being told to: other processes accept messages too.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How soon it is looked at again where others took what was due.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How soon it is looked again whether a message to the same person has its answer: that wakes the queue.
const LOOK_FOR_ANSWER: Duration = Duration::from_millis(250);

/// Of the calls that may be under way, how many more messages are taken up: one in so many.
const ONE_BEYOND: usize = 2;

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
    /// To whom.
    people: HashMap<Id, OpenId>,
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
        let (flights, people, expires_at) = (JoinSet::new(), HashMap::new(), Instant::now());
        Self { push, sender, stop, account: None, flights, people, expires_at }
    }

    fn appid(&self) -> &AppId {
        self.sender.wechat.appid()
    }

    /// Takes up what is due, as far as there are places.
    async fn advance(&mut self) -> Result<Rest, store::Error> {
        let account = self.account().await?;
        if self.expires_at <= Instant::now() {
            self.expires_at = Instant::now() + self.push.expire(self.appid(), account).await;
        }
        while let Some(landed) = self.flights.try_join_next_with_id() {
            self.landed(&landed);
        }
        // Where WeChat is busy fewer calls may be.
        let calls = self.push.settings.concurrency.min(self.sender.wechat.concurrency());
        let room = (calls + calls.div_ceil(ONE_BEYOND)).saturating_sub(self.flights.len());
        if room == 0 {
            return Ok(Rest::Place);
        }
        let outlook = messages::outlook(self.push.store.reader(), account).await?;
        if let Some(wait) = wait(&outlook) {
            return Ok(Rest::Unless(wait.min(LOOK_EVERY)));
        }
        self.take_up(account, room).await
    }

    async fn take_up(&mut self, account: AccountId, room: usize) -> Result<Rest, store::Error> {
        let busy = self.people.values().cloned().collect();
        let channel = self.sender.channel;
        let batch = self.push.claim(Taker { account, channel, room, busy: &busy }).await?;
        if batch.expired > 0 {
            count_failed(self.appid(), Reason::Expired.as_str(), batch.expired);
        }
        if batch.doubted > 0 {
            count_unknown(self.appid(), batch.doubted);
        }
        if let Some(rest) = batch.rest {
            return Ok(Rest::For(rest.min(LOOK_EVERY)));
        }
        let is_empty = batch.messages.is_empty();
        batch.messages.into_iter().for_each(|claimed| self.spawn(claimed));
        Ok(match is_empty {
            true if batch.passed_over > 0 => Rest::None,
            true if batch.is_person_busy => Rest::Unless(LOOK_FOR_ANSWER),
            true => Rest::Unless(LOOK_AGAIN),
            false => Rest::None,
        })
    }

    fn spawn(&mut self, claimed: Claimed) {
        let openid = claimed.message.route.openid.clone();
        let (push, appid) = (self.push.clone(), self.appid().clone());
        let flight = self.flights.spawn(push.deliver(appid, claimed, self.stop.clone()));
        self.people.insert(flight.id(), openid);
    }

    fn landed(&mut self, landed: &Result<(Id, ()), JoinError>) {
        let id = match landed {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.people.remove(&id);
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
        let people = &mut self.people;
        let landing = async {
            match self.flights.join_next_with_id().await {
                Some(Ok((id, ()))) => people.remove(&id),
                Some(Err(error)) => people.remove(&error.id()),
                None => std::future::pending().await,
            };
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
