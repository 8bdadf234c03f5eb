//! Records users' consent to templates.

use super::EventContext;
use crate::model::{Consent, OpenId};
use crate::store::consents::{self, ConsentRecord};
use crate::store::{self, accounts};
use crate::wechat::callback;

impl EventContext<'_> {
    /// The user answered a prompt. That is an act, so an earlier erasure ends.
    pub(super) async fn record_answers(
        &self,
        openid: &OpenId,
        answers: &[callback::Consent],
    ) -> Result<bool, store::Error> {
        accounts::share(self.transaction, self.account).await?;
        let erased_at = self.erased_at(openid).await?;
        if self.predates_erasure(erased_at) {
            return Ok(false);
        }
        self.record_consents(openid, answers).await?;
        self.readmit(openid, erased_at).await?;
        Ok(false)
    }

    /// The user changed a setting, usually to receive no more messages. This does not end an
    /// erasure: erased users receive no messages anyway.
    pub(super) async fn record_settings(
        &self,
        openid: &OpenId,
        settings: &[callback::Consent],
    ) -> Result<bool, store::Error> {
        accounts::share(self.transaction, self.account).await?;
        if self.erased_at(openid).await?.is_none() {
            self.record_consents(openid, settings).await?;
        }
        Ok(false)
    }

    async fn record_consents(
        &self,
        openid: &OpenId,
        decisions: &[callback::Consent],
    ) -> Result<(), store::Error> {
        let mut records: Vec<_> =
            decisions.iter().filter_map(|decision| self.parse(decision)).collect();
        // Sorted, so that two events of one user lock rows in the same order.
        records.sort_unstable_by(|a, b| a.template_id.cmp(&b.template_id));
        for record in &records {
            consents::record(self.transaction, self.account, openid, record).await?;
        }
        Ok(())
    }

    fn parse(&self, decision: &callback::Consent) -> Option<ConsentRecord> {
        let parsed = decision.template_id.parse().ok().zip(Consent::from_code(&decision.status));
        let Some((template_id, consent)) = parsed else {
            tracing::warn!(app.id = %self.appid, said.status = decision.status, "unknown consent status in a callback");
            return None;
        };
        Some(ConsentRecord { template_id, consent, changed_at: self.created_at * 1_000 })
    }
}
