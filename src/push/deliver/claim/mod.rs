//! Claims messages, so that each is sent by one process and all processes together keep the
//! account's rate.
//!
//! The account's row is locked while messages are claimed, not while they are sent. Once the claim
//! of a template message is committed, WeChat may have the message. A subscribe message is marked
//! as sending later, just before it is sent, because WeChat could not recognise a second copy of
//! it. If a claim ends and its process has recorded nothing, the outcome is unknown, and the
//! message is sent again only while WeChat suppresses a second copy.

mod claimed;
mod sort;
mod write;

use std::collections::HashSet;
use std::time::Duration;

use super::pace::Slots;
use crate::clock::DatabaseClock;
use crate::model::{Channel, OpenId};
use crate::push::Push;
use crate::store::messages::{self, Claim};
use crate::store::push_pace::{self, Pace};
use crate::store::template_stops;
use crate::store::{self, AccountId, Transaction};

use sort::{Bounds, Sorter};

pub(in crate::push) use claimed::{Claimed, RESEND_WINDOW_MS};
pub(in crate::push) use write::lost_attempt;

/// Due messages read at most, if some cannot be sent: they wait for their template, or for another
/// message to the same user.
const MAX_WINDOW: usize = 4_096;

/// The result of a claim.
#[derive(Debug, Default)]
pub(in crate::push) struct Batch {
    /// The claimed messages, in the order of their send times.
    pub(in crate::push) messages: Vec<Claimed>,
    /// When to claim again, if the rate limit leaves no slot now.
    pub(in crate::push) retry_after: Option<Duration>,
    /// Number of messages postponed, expired or abandoned. Messages behind them may be due too.
    pub(in crate::push) not_sent: usize,
    /// Number of messages that expired before they could be sent.
    pub(in crate::push) expired: u64,
    /// Number of messages whose outcome became unknown.
    pub(in crate::push) newly_unknown: u64,
    /// Whether messages wait for another message to the same user.
    pub(in crate::push) is_user_busy: bool,
}

/// The account to claim for, and limits of the claiming process.
#[derive(Debug, Clone, Copy)]
pub(in crate::push) struct ClaimRequest<'a> {
    pub(in crate::push) account: AccountId,
    pub(in crate::push) channel: Channel,
    /// How many more messages the process can send.
    pub(in crate::push) capacity: usize,
    /// Users that this process is sending a message to.
    pub(in crate::push) busy_openids: &'a HashSet<OpenId>,
}

impl Push {
    /// Claims due messages of an account.
    pub(in crate::push) async fn claim(
        &self,
        request: ClaimRequest<'_>,
    ) -> Result<Batch, store::Error> {
        let transaction = self.store.begin().await?;
        let pace = push_pace::lock(&transaction, request.account).await?;
        let clock = DatabaseClock::from_reading(store::now(&transaction).await?);
        if pace.held_until > clock.read_ms() {
            return Ok(Batch::default());
        }
        // If the account was held, one message tests whether it still has to be.
        let max_count = if pace.held_until > 0 { 1 } else { request.capacity };
        let rate = self.settings.rate_per_second;
        let slots = match Slots::from(pace.next_at, clock.read_ms(), rate, max_count) {
            Ok(slots) => slots,
            Err(delay_ms) => {
                return Ok(Batch {
                    retry_after: Some(Duration::from_millis(delay_ms)),
                    ..Batch::default()
                });
            }
        };
        let batch = self.claim_slots(&transaction, request, pace, slots, clock).await?;
        transaction.commit().await?;
        Ok(batch)
    }

    async fn claim_slots(
        &self,
        transaction: &Transaction,
        request: ClaimRequest<'_>,
        mut pace: Pace,
        slots: Slots,
        clock: DatabaseClock,
    ) -> Result<Batch, store::Error> {
        let now = clock.read_ms();
        let bounds = Bounds {
            now,
            claim_until: self.settings.claim_until(now),
            max_count: slots.count,
            expired_before: now - self.settings.expire_after.as_millis() as i64,
            channel: request.channel,
            busy_openids: request.busy_openids,
        };
        let sorter = sort_due(transaction, request.account, bounds.clone()).await?;
        let (mut batch, to_send) = sorter.write(transaction, request.account).await?;
        if to_send.is_empty() {
            return Ok(batch);
        }
        let tests_account = pace.held_until > 0;
        pace.next_at = slots.at(to_send.len());
        // No other test starts before this one has an outcome or its claim ends.
        pace.held_until = if tests_account { bounds.claim_until } else { 0 };
        push_pace::save(transaction, request.account, &pace).await?;
        let claimed = to_send.into_iter().enumerate().map(|(index, sending)| Claimed {
            claim: Claim {
                id: sending.message.id.clone(),
                attempt: sending.message.attempt + 1,
                due_at: bounds.claim_until,
            },
            first_sent_at: sending.message.first_sent_at.unwrap_or(now),
            message: sending.message,
            may_have_arrived: sending.may_have_arrived,
            tests_account,
            tests_template: sending.tests_template,
            passed_at: pace.passed_at,
            sends_at: slots.at(index),
            send_by: self.settings.send_by(now),
            clock,
        });
        batch.messages = claimed.map(Claimed::limit_to_resend_window).collect();
        Ok(batch)
    }
}

/// Reads and sorts due messages: as many as may be sent, and more if fewer than half of those can
/// be.
async fn sort_due<'a>(
    transaction: &Transaction,
    account: AccountId,
    bounds: Bounds<'a>,
) -> Result<Sorter<'a>, store::Error> {
    let stops = template_stops::list(transaction, account).await?;
    let (mut window, max_window) = (bounds.max_count, MAX_WINDOW.max(bounds.max_count));
    loop {
        let mut sorter = Sorter::new(stops.clone(), bounds.clone());
        let due = messages::list_due(transaction, account, bounds.now, window).await?;
        let is_all = due.len() < window || window == max_window;
        due.into_iter().for_each(|due| sorter.sort(due));
        if is_all || 2 * sorter.to_send.len() >= bounds.max_count {
            return Ok(sorter);
        }
        window = max_window.min(8 * window);
    }
}
