//! Messages as sending leaves them, none of which was sent.

use std::time::{Duration, Instant};

use entity::message::{Column, Entity};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use unionid_bridge::model::{AppId, Channel, Content, MessageId, MessageState, OpenId};
use unionid_bridge::sandbox::Account;
use unionid_bridge::store::messages::{self, NewMessage, Route};
use unionid_bridge::store::{AccountId, Store, accounts};

use super::TestApp;

/// The number of an account of the sandbox's.
pub async fn account_id(store: &Store, account: &Account) -> AccountId {
    let appid: AppId = account.appid().parse().unwrap();
    accounts::find_or_insert(store, &appid).await.unwrap()
}

/// Messages to people, each just accepted.
pub async fn accept(store: &Store, account: &Account, people: &[u64]) -> Vec<MessageId> {
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

/// Has a message be as after a send so many milliseconds ago. With a number of WeChat's, where its
/// answer told one.
pub async fn send(
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
    /// A message to a person that WeChat took, with its number.
    pub async fn sent(&self, account: &Account, person: u64, msgid: i64) -> MessageId {
        let id = accept(&self.app.store, account, &[person]).await.remove(0);
        send(&self.app.store, &id, MessageState::Sent, Some(msgid), 1_000).await;
        id
    }

    /// A message to a person in that state whose number is not known, sent so long ago.
    pub async fn numberless(
        &self,
        account: &Account,
        person: u64,
        state: MessageState,
        ago_ms: i64,
    ) -> MessageId {
        let id = accept(&self.app.store, account, &[person]).await.remove(0);
        send(&self.app.store, &id, state, None, ago_ms).await;
        id
    }

    /// How a message stands: its state, and why.
    pub async fn fate(&self, id: &MessageId) -> (MessageState, Option<String>) {
        let message = self.message(id).await;
        (message.state, message.reason)
    }

    /// The numbers of the receipts that are kept.
    pub async fn kept_receipts(&self) -> Vec<i64> {
        use entity::receipt::{Column, Entity};
        let rows = Entity::find().order_by_asc(Column::Msgid).all(self.app.store.reader());
        rows.await.unwrap().into_iter().map(|row| row.msgid).collect()
    }

    /// Waits until the receipts of these numbers are kept, and no others.
    pub async fn keeps_receipts(&self, expected: &[i64]) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.kept_receipts().await != expected {
            assert!(Instant::now() < deadline, "kept are {:?}", self.kept_receipts().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A person's openid in an account.
pub fn openid_of(account: &Account, person: u64) -> OpenId {
    account.person(person).openid.parse().unwrap()
}
