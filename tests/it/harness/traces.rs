//! What a push leaves of a person: messages, a receipt that was kept, a word to a template.

use std::collections::BTreeSet;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use unionid_bridge::model::Consent;
use unionid_bridge::sandbox::Account;
use unionid_bridge::store::consents::{self, ConsentRecord};
use unionid_bridge::store::receipts::{self, Receipt};

use super::{TestApp, accept, account_id, openid_of};

/// People who may have left something.
const LOOKED_FOR: std::ops::Range<u64> = 0..10;

impl TestApp {
    /// Leaves one of each kind for a person in an account: two messages, one of them sent.
    pub async fn trace(&self, account: &Account, person: u64) {
        let (store, openid) = (&self.app.store, openid_of(account, person));
        let number = account_id(store, account).await;
        accept(store, account, &[person]).await;
        self.sent(account, person, person.cast_signed()).await;
        let msgid = 1_000 + person.cast_signed();
        let status = "success".to_owned();
        let receipt = Receipt { account: number, msgid, openid: openid.clone(), status };
        receipts::keep(store.writer(), &[receipt], store.now().await.unwrap()).await.unwrap();
        let template_id = "template-1".parse().unwrap();
        let word = ConsentRecord { template_id, consent: Consent::Accept, changed_at: 1 };
        consents::record(store.writer(), number, &openid, &word).await.unwrap();
    }

    /// Who has left something in an account. Everybody has left something of each kind, or nothing.
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
        let words = {
            use entity::consent::{Column, Entity};
            let rows = Entity::find().filter(Column::AccountId.eq(number)).all(reader).await;
            rows.unwrap().into_iter().map(|row| row.openid).collect::<BTreeSet<_>>()
        };
        assert_eq!((&messages, &messages), (&receipts, &words));
        LOOKED_FOR.filter(|person| messages.contains(&account.person(*person).openid)).collect()
    }
}
