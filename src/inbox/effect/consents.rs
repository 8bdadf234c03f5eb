//! What people say to templates: whether messages may come.

use super::EventContext;
use crate::model::{Consent, OpenId};
use crate::store::consents::{self, ConsentRecord};
use crate::store::{self, accounts};
use crate::wechat::callback;

impl EventContext<'_> {
    /// Somebody was asked, and answered: they are there, and act.
    pub(super) async fn answer(
        &self,
        openid: &OpenId,
        answers: &[callback::Consent],
    ) -> Result<bool, store::Error> {
        accounts::share(self.transaction, self.account).await?;
        let erased_at = self.erased_at(openid).await?;
        if self.is_before(erased_at) {
            return Ok(false);
        }
        self.note(openid, answers).await?;
        self.readmit(openid, erased_at).await?;
        Ok(false)
    }

    /// Somebody changed a setting, as a rule to get no more. To say so takes nothing back of an erasure:
    /// who was erased is not written to anyway.
    pub(super) async fn change(
        &self,
        openid: &OpenId,
        settings: &[callback::Consent],
    ) -> Result<bool, store::Error> {
        accounts::share(self.transaction, self.account).await?;
        if self.erased_at(openid).await?.is_none() {
            self.note(openid, settings).await?;
        }
        Ok(false)
    }

    async fn note(&self, openid: &OpenId, said: &[callback::Consent]) -> Result<(), store::Error> {
        let mut words: Vec<_> = said.iter().filter_map(|said| self.word(said)).collect();
        // Two events of one person lock rows in the same order.
        words.sort_unstable_by(|one, other| one.template_id.cmp(&other.template_id));
        for word in &words {
            consents::record(self.transaction, self.account, openid, word).await?;
        }
        Ok(())
    }

    fn word(&self, said: &callback::Consent) -> Option<ConsentRecord> {
        let word = said.template_id.parse().ok().zip(Consent::from_word(&said.status));
        let Some((template_id, consent)) = word else {
            tracing::warn!(app.id = %self.appid, said.status, "a word to a template is not understood");
            return None;
        };
        Some(ConsentRecord { template_id, consent, changed_at: self.created_at * 1_000 })
    }
}
