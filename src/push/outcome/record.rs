//! Recording what an attempt came to: the message, and whatever else WeChat's answer tells, in one
//! transaction. Who lost the claim notes nothing.
//!
//! Rows are locked in one order everywhere: the account, its pace, its templates, the message, the
//! person.

use std::time::Duration;

use super::settlement::{Case, Next, Settlement};
use super::verdict::News;
use crate::model::{Consent, MessageState};
use crate::push::deliver::{Answer, Claimed};
use crate::push::{Push, Sender};
use crate::store::consents::{self, ConsentRecord};
use crate::store::followers::{self, FollowEvent, Recorded};
use crate::store::messages::{self, Progress, Route};
use crate::store::push_pace;
use crate::store::template_stops::{self, Stop};
use crate::store::{self, Transaction, accounts, erasures, profile_checks, receipts};
use crate::wechat;

/// How soon it is tried again to note an outcome; longer each time, up to ten times that.
const NOTE_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Attempts to note an outcome that the database refuses, rather than being away.
const REFUSED_NOTES: u32 = 3;

/// What was new in what was noted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::push) struct Noted {
    /// The account is held, and was not before.
    pub(in crate::push) is_held: bool,
    /// The template is stopped, and was not before.
    pub(in crate::push) is_stopped: bool,
}

impl Push {
    /// Notes what came of an attempt. It is tried until the database takes it: nothing else says that
    /// the message is not to be sent again.
    pub(in crate::push) async fn settle(
        &self,
        sender: &Sender,
        claimed: &Claimed,
        answer: &Answer,
    ) {
        let (now, random) = (claimed.clock.now_ms(), rand::random());
        let settlement = Case { claimed, settings: &self.settings, now, random }.settle(answer);
        for attempt in 1.. {
            let error = match self.note(claimed, &settlement, answer.error(), now).await {
                Ok(Some(noted)) => {
                    return self.tell(sender, claimed, &settlement, answer.error(), noted);
                }
                Ok(None) => return self.note_late(claimed, answer).await,
                Err(error) => error,
            };
            if attempt == 1 {
                tracing::warn!(message.id = %claimed.claim.id, %error, "an outcome waits to be noted");
            }
            if attempt >= REFUSED_NOTES && !error.is_passing() {
                return;
            }
            tokio::time::sleep(NOTE_AGAIN_AFTER * attempt.min(10)).await;
        }
    }

    /// Whoever has the claim now decides, but WeChat's number of the message is worth having: the
    /// receipt names it.
    async fn note_late(&self, claimed: &Claimed, answer: &Answer) {
        let message = claimed.claim.id.clone();
        tracing::debug!(message.id = %message, "a claim was lost");
        let Answer::Accepted(Some(msgid)) = answer else { return };
        let lost = receipts::Lost { message, msgid: *msgid };
        if let Err(error) = receipts::number(self.store.writer(), &lost).await {
            tracing::warn!(message.id = %lost.message, %error, "a message's number was not noted");
        }
    }

    /// `None` where the claim was lost.
    async fn note(
        &self,
        claimed: &Claimed,
        settlement: &Settlement,
        error: Option<&wechat::Error>,
        now: i64,
    ) -> Result<Option<Noted>, store::Error> {
        let transaction = self.store.begin().await?;
        let noting = Recording { transaction: &transaction, claimed, settlement, now };
        if settlement.news == News::Unfollowed {
            accounts::share(&transaction, claimed.message.route.account).await?;
        }
        let is_held = noting.pace().await?;
        let is_stopped = noting.template(error).await?;
        if !noting.message().await? {
            return Ok(None);
        }
        noting.receipt().await?;
        noting.person().await?;
        transaction.commit().await?;
        Ok(Some(Noted { is_held, is_stopped }))
    }
}

/// An outcome being noted.
struct Recording<'a> {
    transaction: &'a Transaction,
    claimed: &'a Claimed,
    settlement: &'a Settlement,
    now: i64,
}

impl Recording<'_> {
    fn route(&self) -> &Route {
        &self.claimed.message.route
    }

    /// Holds the account, or lets it go on. Whether it was not held before.
    async fn pace(&self) -> Result<bool, store::Error> {
        let Settlement { hold, next, .. } = self.settlement;
        let tests_account = self.claimed.tests_account;
        if hold.is_none() && !tests_account {
            return Ok(false);
        }
        let account = self.route().account;
        let mut pace = push_pace::lock(self.transaction, account).await?;
        let was_held = pace.held_reason.is_some();
        // Another message may have been refused for longer meanwhile.
        let is_ours = tests_account && pace.held_until == self.claimed.claim.due_at;
        match hold {
            Some((until, reason)) if is_ours || *until > pace.held_until => {
                pace.held_until = *until;
                pace.held_reason = Some(reason.clone());
            }
            None if is_ours && next.is_decided() => {
                pace.held_until = 0;
                pace.held_reason = None;
                pace.passed_at = self.now;
            }
            // WeChat was busy, or its answer was lost: the next message tests.
            None if is_ours => pace.held_until = self.now,
            _ => return Ok(false),
        }
        push_pace::save(self.transaction, account, &pace).await?;
        Ok(!was_held)
    }

    /// Stops the template, or lets it go on. Whether it was not stopped before.
    async fn template(&self, error: Option<&wechat::Error>) -> Result<bool, store::Error> {
        let Route { account, template_id, .. } = self.route();
        let Settlement { next, news, stop_until, .. } = self.settlement;
        if *news == News::TemplateStopped {
            let stops = template_stops::list(self.transaction, *account).await?;
            let said = error.and_then(wechat::Error::upstream);
            let stop = Stop {
                template_id: template_id.clone(),
                until_at: *stop_until,
                tested_until: 0,
                errcode: said.map_or(0, |said| said.errcode),
                reason: said.map_or_else(String::new, |said| said.errmsg.clone()),
            };
            template_stops::upsert(self.transaction, *account, &stop).await?;
            return Ok(stops.iter().all(|stop| stop.template_id != *template_id));
        }
        match self.claimed.tests_template {
            true if next.is_sent() => {
                template_stops::delete(self.transaction, *account, template_id).await?;
            }
            true => template_stops::end_test(self.transaction, *account, template_id).await?,
            false => {}
        }
        Ok(false)
    }

    /// `false` where the claim was lost.
    async fn message(&self) -> Result<bool, store::Error> {
        let (transaction, claim) = (self.transaction, &self.claimed.claim);
        match &self.settlement.next {
            Next::Stands(progress) => messages::record(transaction, claim, progress).await,
            Next::Goes(route, attempts) => {
                messages::reroute(transaction, claim, route, attempts, self.now).await
            }
        }
    }

    /// Ends the message by its receipt, where that came before the answer.
    async fn receipt(&self) -> Result<(), store::Error> {
        let Next::Stands(Progress { msgid: Some(msgid), .. }) = &self.settlement.next else {
            return Ok(());
        };
        let (account, id) = (self.route().account, &self.claimed.claim.id);
        receipts::take(self.transaction, account, *msgid, id).await.map(drop)
    }

    async fn person(&self) -> Result<(), store::Error> {
        match self.settlement.news {
            News::Unfollowed => self.leave().await,
            News::Declined => self.decline().await,
            News::None | News::TemplateStopped => Ok(()),
        }
    }

    /// The person does not follow, as far as WeChat knew when the message left: what was told later
    /// stands. WeChat is asked for the profile, in case it was mistaken.
    async fn leave(&self) -> Result<(), store::Error> {
        let Route { account, openid, .. } = self.route();
        let (transaction, account, now) = (self.transaction, *account, self.now);
        let known = std::slice::from_ref(openid);
        let known = followers::list_by_openids(transaction, account, known).await?;
        let erased_at = erasures::find_erased_at(transaction, account, openid).await?;
        if erased_at.is_some() || !known.iter().any(|follower| follower.subscribed) {
            return Ok(());
        }
        let event =
            FollowEvent { subscribed: false, created_at: self.claimed.sends_at.div_euclid(1_000) };
        match followers::record_event(transaction, account, openid, event, now).await? {
            Recorded::Stale => Ok(()),
            Recorded::Applied | Recorded::Doubtful => {
                profile_checks::schedule(transaction, account, openid, now).await
            }
        }
    }

    async fn decline(&self) -> Result<(), store::Error> {
        let Route { account, openid, template_id, .. } = self.route();
        let word = ConsentRecord {
            template_id: template_id.clone(),
            consent: Consent::Refused,
            // They may have agreed since.
            changed_at: self.claimed.sends_at,
        };
        consents::record(self.transaction, *account, openid, &word).await
    }
}

impl Next {
    /// Whether WeChat judged the message.
    fn is_decided(&self) -> bool {
        match self {
            Self::Stands(progress) => {
                matches!(progress.state, MessageState::Sent | MessageState::Failed)
            }
            Self::Goes(..) => true,
        }
    }

    fn is_sent(&self) -> bool {
        matches!(self, Self::Stands(progress) if progress.state == MessageState::Sent)
    }
}
