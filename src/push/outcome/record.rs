//! Records the outcome of an attempt: the message and everything else that WeChat's answer reveals,
//! in one transaction. If the claim was lost, nothing is written.
//!
//! All writers lock rows in the same order: the account, its pace, its templates, the message, the
//! user.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::settlement::{Case, Next, Settlement};
use super::verdict::Finding;
use crate::model::{Consent, MessageState, Reason};
use crate::push::deliver::{Answer, Claimed};
use crate::push::{Push, Sender};
use crate::store::consents::{self, ConsentRecord};
use crate::store::followers::{self, FollowEvent, Recorded};
use crate::store::messages::{self, Progress, Route};
use crate::store::push_pace;
use crate::store::template_stops::{self, Stop};
use crate::store::{self, Transaction, accounts, erasures, profile_checks, receipts};
use crate::wechat;

/// Delay before another attempt to record an outcome. Grows with each attempt, up to ten times this
/// value.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// Attempts to record an outcome if the database rejects it, as opposed to being unreachable.
const MAX_REJECTED_ATTEMPTS: u32 = 3;

/// Holds and stops that an outcome started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::push) struct NewHolds {
    /// The account is held now and was not before.
    pub(in crate::push) account_held: bool,
    /// The template is stopped now and was not before.
    pub(in crate::push) template_stopped: bool,
}

impl Push {
    /// Records the outcome of an attempt. Retries until the database accepts it, because nothing
    /// else prevents the message from being sent again.
    pub(in crate::push) async fn record_outcome(
        &self,
        sender: &Sender,
        claimed: &Claimed,
        answer: &Answer,
    ) {
        let (now, random) = (claimed.clock.now_ms(), rand::random());
        let lost_in_a_row = match answer.may_be_lost() {
            true => sender.lost_in_a_row.fetch_add(1, Ordering::Relaxed) + 1,
            false => {
                sender.lost_in_a_row.store(0, Ordering::Relaxed);
                0
            }
        };
        let case = Case { claimed, settings: &self.settings, now, random, lost_in_a_row };
        let settlement = case.settle(answer);
        for attempt in 1.. {
            let error = match self.try_record(claimed, &settlement, answer.error(), now).await {
                Ok(Some(new_holds)) => {
                    return self.report(sender, claimed, &settlement, answer.error(), new_holds);
                }
                Ok(None) => return self.record_late_number(claimed, answer).await,
                Err(error) => error,
            };
            if attempt == 1 {
                tracing::warn!(message.id = %claimed.claim.id, %error, "could not record the outcome of a send, trying again");
            }
            if attempt >= MAX_REJECTED_ATTEMPTS && !error.is_passing() {
                return;
            }
            tokio::time::sleep(RETRY_DELAY * attempt.min(10)).await;
        }
    }

    /// Records WeChat's number of a message whose claim was lost. Another process decides the
    /// state, but the receipt refers to this number.
    async fn record_late_number(&self, claimed: &Claimed, answer: &Answer) {
        let message = claimed.claim.id.clone();
        tracing::debug!(message.id = %message, "the claim of a message was lost");
        let Answer::Accepted(Some(msgid)) = answer else { return };
        let lost = receipts::LostAnswer { message, msgid: *msgid };
        if let Err(error) = receipts::record_msgid(self.store.writer(), &lost).await {
            tracing::warn!(message.id = %lost.message, %error, "could not record WeChat's number of a message");
        }
    }

    /// Returns `None` if the claim was lost.
    async fn try_record(
        &self,
        claimed: &Claimed,
        settlement: &Settlement,
        error: Option<&wechat::Error>,
        now: i64,
    ) -> Result<Option<NewHolds>, store::Error> {
        let transaction = self.store.begin().await?;
        let recording = Recording { transaction: &transaction, claimed, settlement, now };
        if settlement.finding == Finding::Unfollowed {
            accounts::share(&transaction, claimed.message.route.account).await?;
        }
        let account_held = recording.update_pace().await?;
        let template_stopped = recording.update_template_stop(error).await?;
        if !recording.update_message().await? {
            return Ok(None);
        }
        recording.apply_receipt().await?;
        recording.update_user().await?;
        transaction.commit().await?;
        Ok(Some(NewHolds { account_held, template_stopped }))
    }
}

/// An outcome while it is recorded.
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

    /// Holds the account, or ends its hold. Returns whether a hold started.
    async fn update_pace(&self) -> Result<bool, store::Error> {
        let Settlement { hold, next, .. } = self.settlement;
        let tests_account = self.claimed.tests_account;
        if hold.is_none() && !tests_account {
            return Ok(false);
        }
        let account = self.route().account;
        let mut pace = push_pace::lock(self.transaction, account).await?;
        let was_held = pace.held_reason.is_some();
        // Another message may have extended the hold in the meantime.
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
            // The test was inconclusive: WeChat was busy, or its answer was lost. The next message
            // tests again.
            None if is_ours => pace.held_until = self.now,
            _ => return Ok(false),
        }
        push_pace::save(self.transaction, account, &pace).await?;
        Ok(!was_held)
    }

    /// Stops the template, or ends its stop. Returns whether a stop started.
    async fn update_template_stop(
        &self,
        error: Option<&wechat::Error>,
    ) -> Result<bool, store::Error> {
        let Route { account, template_id, .. } = self.route();
        let Settlement { next, finding, stop_until, .. } = self.settlement;
        if *finding == Finding::TemplateStopped {
            let stops = template_stops::list(self.transaction, *account).await?;
            let upstream = error.and_then(wechat::Error::upstream);
            let stop = Stop {
                template_id: template_id.clone(),
                until_at: *stop_until,
                tested_until: 0,
                errcode: upstream.map_or(0, |upstream| upstream.errcode),
                reason: upstream.map_or_else(String::new, |upstream| upstream.errmsg.clone()),
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

    /// Returns `false` if the claim was lost.
    async fn update_message(&self) -> Result<bool, store::Error> {
        let (transaction, claim) = (self.transaction, &self.claimed.claim);
        match &self.settlement.next {
            Next::Update(progress) => messages::record(transaction, claim, progress).await,
            Next::Reroute(route, attempts) => {
                messages::reroute(transaction, claim, route, attempts, self.now).await
            }
        }
    }

    /// Applies the receipt, if it came before the answer.
    async fn apply_receipt(&self) -> Result<(), store::Error> {
        let Next::Update(Progress { msgid: Some(msgid), .. }) = &self.settlement.next else {
            return Ok(());
        };
        let (account, id) = (self.route().account, &self.claimed.claim.id);
        receipts::take_matching(self.transaction, account, *msgid, id).await.map(drop)
    }

    async fn update_user(&self) -> Result<(), store::Error> {
        if let Some(until) = self.settlement.user_waits_until {
            let (Route { account, openid, .. }, times) = (self.route(), (self.now, until));
            let reason = Reason::TooFrequent;
            messages::postpone_user(self.transaction, *account, openid, times, reason).await?;
        }
        match self.settlement.finding {
            Finding::Unfollowed => self.mark_unfollowed().await,
            Finding::Declined => self.record_refusal().await,
            Finding::None | Finding::TemplateStopped => Ok(()),
        }
    }

    /// Records that the user did not follow when the message was sent; a later event overrides
    /// this. Schedules a profile check, in case WeChat was mistaken.
    async fn mark_unfollowed(&self) -> Result<(), store::Error> {
        let Route { account, openid, .. } = self.route();
        let (transaction, account, now) = (self.transaction, *account, self.now);
        let openids = std::slice::from_ref(openid);
        let known = followers::list_by_openids(transaction, account, openids).await?;
        let erased_at = erasures::find_erased_at(transaction, account, openid).await?;
        if erased_at.is_some() || !known.iter().any(|follower| follower.subscribed) {
            return Ok(());
        }
        let event =
            FollowEvent { subscribed: false, created_at: self.claimed.sends_at.div_euclid(1_000) };
        match followers::record_event(transaction, account, openid, event, now).await? {
            Recorded::Stale => Ok(()),
            Recorded::Applied | Recorded::Contradictory => {
                profile_checks::schedule(transaction, account, openid, now).await
            }
        }
    }

    async fn record_refusal(&self) -> Result<(), store::Error> {
        let Route { account, openid, template_id, .. } = self.route();
        let refusal = ConsentRecord {
            template_id: template_id.clone(),
            consent: Consent::Refused,
            // The user may have agreed since.
            changed_at: self.claimed.sends_at,
        };
        consents::record(self.transaction, *account, openid, &refusal).await
    }
}

impl Next {
    /// Whether WeChat accepted or refused the message itself.
    fn is_decided(&self) -> bool {
        match self {
            Self::Update(progress) => {
                matches!(progress.state, MessageState::Sent | MessageState::Failed)
            }
            Self::Reroute(..) => true,
        }
    }

    fn is_sent(&self) -> bool {
        matches!(self, Self::Update(progress) if progress.state == MessageState::Sent)
    }
}
