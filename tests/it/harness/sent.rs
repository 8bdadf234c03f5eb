//! Message rows in the states that sending leaves behind. Nothing is really sent.

use std::time::{Duration, Instant};

use entity::message::{Column, Entity};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use unionid_bridge::model::{AppId, Channel, Content, MessageId, MessageState, OpenId};
use unionid_bridge::sandbox::Account;
use unionid_bridge::store::messages::{self, NewMessage, Route};
use unionid_bridge::store::{AccountId, Store, accounts};

use super::TestApp;

/// Returns the database id of a sandbox account.
pub async fn account_id(store: &Store, account: &Account) -> AccountId {
    let appid: AppId = account.appid().parse().unwrap();
    accounts::find_or_insert(store, &appid).await.unwrap()
}

/// Inserts an accepted message for each of these people.
pub async fn accept_messages(store: &Store, account: &Account, people: &[u64]) -> Vec<MessageId> {
    let (number, now) = (account_id(store, account).await, store.now().await.unwrap());
    let new = |person: &u64| {
        let person = account.person(*person);
        NewMessage {
            id: uuid::Uuid::now_v7().simple().to_string().parse().unwrap(),
            unionid: person.unionid.map(|unionid| unionid.parse().unwrap()),
            route: Route {
                channel: Channel::Template,
                account: number,
                openid: person.openid.parse().unwrap(),
                template_id: "template-1".parse().unwrap(),
                content: Content::default(),
            },
            fallback: None,
        }
    };
    let new: Vec<_> = people.iter().map(new).collect();
    messages::insert(store.writer(), &new, now).await.unwrap();
    new.into_iter().map(|message| message.id).collect()
}

/// Updates a message as if it was sent `ago_ms` milliseconds ago. `msgid` is WeChat's number if its answer
/// contained one.
pub async fn mark_sent(
    store: &Store,
    id: &MessageId,
    state: MessageState,
    msgid: Option<i64>,
    ago_ms: i64,
) {
    let sent_at = store.now().await.unwrap() - ago_ms;
    let due_at = (state == MessageState::Queued).then_some(sent_at);
    Entity::update_many()
        .col_expr(Column::State, Expr::value(state.as_str()))
        .col_expr(Column::Msgid, Expr::value(msgid))
        .col_expr(Column::FirstSentAt, Expr::value(sent_at))
        .col_expr(Column::SendingAt, Expr::value(due_at))
        .col_expr(Column::DueAt, Expr::value(due_at))
        .filter(Column::Id.eq(id.as_str()))
        .exec(store.writer())
        .await
        .unwrap();
}

impl TestApp {
    /// Inserts a sent message with WeChat's `msgid`.
    pub async fn sent(&self, account: &Account, person: u64, msgid: i64) -> MessageId {
        let id = accept_messages(&self.app.store, account, &[person]).await.remove(0);
        mark_sent(&self.app.store, &id, MessageState::Sent, Some(msgid), 1_000).await;
        id
    }

    /// Inserts a message in this state that was sent `ago_ms` ago and whose `msgid` is unknown.
    pub async fn sent_without_msgid(
        &self,
        account: &Account,
        person: u64,
        state: MessageState,
        ago_ms: i64,
    ) -> MessageId {
        let id = accept_messages(&self.app.store, account, &[person]).await.remove(0);
        mark_sent(&self.app.store, &id, state, None, ago_ms).await;
        id
    }

    /// Returns the state of a message and its reason.
    pub async fn state_and_reason(&self, id: &MessageId) -> (MessageState, Option<String>) {
        let message = self.message(id).await;
        (message.state, message.reason)
    }

    /// Returns the `msgid`s of the receipts that wait for their message.
    pub async fn kept_receipts(&self) -> Vec<i64> {
        use entity::receipt::{Column, Entity};
        let rows = Entity::find().order_by_asc(Column::Msgid).all(self.app.store.reader());
        rows.await.unwrap().into_iter().map(|row| row.msgid).collect()
    }

    /// Waits up to 20 s until exactly these receipts are kept.
    pub async fn wait_for_receipts(&self, expected: &[i64]) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.kept_receipts().await != expected {
            assert!(Instant::now() < deadline, "kept receipts: {:?}", self.kept_receipts().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Returns a person's openid in an account.
pub fn openid_of(account: &Account, person: u64) -> OpenId {
    account.person(person).openid.parse().unwrap()
}
