//! Queued messages and the push worker that sends them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use unionid_bridge::model::{Channel, Content, MessageId, MessageState, Text};
use unionid_bridge::sandbox::Account;
use unionid_bridge::store::Store;
use unionid_bridge::store::messages::{self, Message, NewMessage, Route};
use uuid::Uuid;

use super::TestApp;
use super::sent::account_id;

/// A push worker that runs until it is stopped or dropped.
pub struct Worker {
    pub stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Worker {
    /// Requests shutdown and waits for it.
    pub async fn stop(mut self) {
        self.stop.cancel();
        (&mut self.task).await.unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TestApp {
    /// Starts a push worker.
    pub fn worker(&self) -> Worker {
        let stop = CancellationToken::new();
        let task = tokio::spawn(Arc::clone(&self.app.push).work(stop.clone()));
        Worker { stop, task }
    }

    /// Queues a message to each of these people, with the account's first template.
    pub async fn queue(
        &self,
        account: &Account,
        people: impl IntoIterator<Item = u64>,
    ) -> Vec<MessageId> {
        let mut queued = Vec::new();
        for person in people {
            let route = new_route(&self.app.store, account, person).await;
            queued.push(new_message(route, None));
        }
        queue(&self.app.store, &queued).await
    }

    /// Queues a template message that may go as a subscribe message instead.
    pub async fn queue_with_fallback(
        &self,
        account: &Account,
        program: &Account,
        person: u64,
    ) -> MessageId {
        let store = &self.app.store;
        let (first, second) =
            (new_route(store, account, person).await, new_route(store, program, person).await);
        queue(store, &[new_message(first, Some(second))]).await.remove(0)
    }

    /// Returns the stored message.
    pub async fn message(&self, id: &MessageId) -> Message {
        message(&self.app.store, id).await
    }

    /// Waits until a message is in this state and no longer due.
    pub async fn wait_for_state(&self, id: &MessageId, state: MessageState) -> Message {
        wait_for_state(&self.app.store, id, state).await
    }

    /// Waits until a condition holds for a message.
    pub async fn wait_for_message(
        &self,
        id: &MessageId,
        holds: impl Fn(&Message) -> bool,
    ) -> Message {
        wait_for_message(&self.app.store, id, holds).await
    }

    /// Executes SQL directly, for example to make hours pass.
    pub async fn execute(&self, statement: &str) {
        self.app.store.writer().execute_unprepared(statement).await.unwrap();
    }
}

/// Returns the stored message.
pub async fn message(store: &Store, id: &MessageId) -> Message {
    messages::find(store.reader(), id).await.unwrap().unwrap()
}

/// Waits until a message is in this state and no longer due.
pub async fn wait_for_state(store: &Store, id: &MessageId, state: MessageState) -> Message {
    wait_for_message(store, id, |message| message.state == state && message.due_at.is_none()).await
}

/// Waits up to 30 s until a condition holds for a message.
pub async fn wait_for_message(
    store: &Store,
    id: &MessageId,
    holds: impl Fn(&Message) -> bool,
) -> Message {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = message(store, id).await;
        if holds(&found) {
            return found;
        }
        assert!(Instant::now() < deadline, "the message is still {found:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Inserts queued messages and returns their ids.
pub async fn queue(store: &Store, new: &[NewMessage]) -> Vec<MessageId> {
    let now = store.now().await.unwrap();
    messages::insert(store.writer(), new, now).await.unwrap();
    new.iter().map(|message| message.id.clone()).collect()
}

/// A message with a new id.
pub fn new_message(route: Route, fallback: Option<Route>) -> NewMessage {
    let id = Uuid::now_v7().simple().to_string().parse().unwrap();
    NewMessage { id, unionid: None, route, fallback }
}

/// A route to a person with the account's first template and valid texts.
pub async fn new_route(store: &Store, account: &Account, person: u64) -> Route {
    let is_official = account.appid().starts_with("wx0a");
    let (channel, texts): (_, &[_]) = match is_official {
        true => (
            Channel::Template,
            &[("character_string1", "A-1"), ("thing2", "雨伞"), ("time3", "2026-01-01 12:00")],
        ),
        false => (
            Channel::Subscribe,
            &[
                ("character_string1", "A-1"),
                ("thing2", "雨伞"),
                ("amount3", "¥12.50"),
                ("time4", "2026-01-01 12:00"),
            ],
        ),
    };
    let text = |(key, value): &(&str, &str)| {
        ((*key).to_owned(), Text { value: (*value).to_owned(), color: None })
    };
    let data = texts.iter().map(text).collect();
    Route {
        channel,
        account: account_id(store, account).await,
        openid: account.person(person).openid.parse().unwrap(),
        template_id: account.template_ids()[0].parse().unwrap(),
        content: Content { data, ..Content::default() },
    }
}
