//! Personal data that push stores: messages, kept receipts, and consents.

use std::collections::BTreeSet;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use unionid_bridge::model::Consent;
use unionid_bridge::sandbox::Account;
use unionid_bridge::store::consents::{self, ConsentRecord};
use unionid_bridge::store::receipts::{self, Receipt};

use super::{TestApp, accept_messages, account_id, openid_of};

/// The people that [`TestApp::traces`] checks.
const PEOPLE: std::ops::Range<u64> = 0..10;

impl TestApp {
    /// Stores all kinds of data for a person in an account: two messages, one of them sent, a receipt, and a
    /// consent.
    pub async fn trace(&self, account: &Account, person: u64) {
        let (store, openid) = (&self.app.store, openid_of(account, person));
        let number = account_id(store, account).await;
        accept_messages(store, account, &[person]).await;
        self.sent(account, person, person.cast_signed()).await;
        let msgid = 1_000 + person.cast_signed();
        let status = "success".to_owned();
        let receipt = Receipt { account: number, msgid, openid: openid.clone(), status };
        receipts::insert_unmatched(store.writer(), &[receipt], store.now().await.unwrap())
            .await
            .unwrap();
        let template_id = "template-1".parse().unwrap();
        let consent = ConsentRecord { template_id, consent: Consent::Accept, changed_at: 1 };
        consents::record(store.writer(), number, &openid, &consent).await.unwrap();
    }

    /// Returns the people with data in an account. Asserts that each has data of all kinds or none.
    pub async fn traces(&self, account: &Account) -> Vec<u64> {
        let (number, reader) =
            (account_id(&self.app.store, account).await, self.app.store.reader());
        let messages = {
            use entity::message::{Column, Entity};
            let rows = Entity::find().filter(Column::AccountId.eq(number)).all(reader).await;
            rows.unwrap().into_iter().map(|row| row.openid).collect::<BTreeSet<_>>()
        };
        let receipts = {
            use entity::receipt::{Column, Entity};
            let rows = Entity::find().filter(Column::AccountId.eq(number)).all(reader).await;
            rows.unwrap().into_iter().map(|row| row.openid).collect::<BTreeSet<_>>()
        };
        let consents = {
            use entity::consent::{Column, Entity};
            let rows = Entity::find().filter(Column::AccountId.eq(number)).all(reader).await;
            rows.unwrap().into_iter().map(|row| row.openid).collect::<BTreeSet<_>>()
        };
        assert_eq!((&messages, &messages), (&receipts, &consents));
        PEOPLE.filter(|person| messages.contains(&account.person(*person).openid)).collect()
    }
}
