//! Taking messages up, so that each is sent by one process, and all processes together keep the pace.
//!
//! The account's row is locked while messages are taken, and not while they are sent. Once the claim of a
//! template message is committed WeChat may have it; a subscribe message notes that for itself when it
//! leaves, because WeChat could not tell it from a second copy. A message whose claim ends without a word
//! from its process is in doubt then, and is sent again only as long as WeChat suppresses a second copy.

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

pub(in crate::push) use claimed::{Claimed, SAFE_MS};
pub(in crate::push) use write::lost_at;

/// Messages looked at where not all that are due may leave: some wait for their template, or for another
/// message to the same person.
const LOOKED_AT: usize = 4_096;

/// What was taken up, and what else was found.
#[derive(Debug, Default)]
pub(in crate::push) struct Batch {
    /// The messages, in the order in which they leave.
    pub(in crate::push) messages: Vec<Claimed>,
    /// For how long there is no need to look for more, where the pace says so.
    pub(in crate::push) rest: Option<Duration>,
    /// Messages put off, given up or lost: those behind them may be due too.
    pub(in crate::push) passed_over: usize,
    /// Messages that were given up because they were not sent in time.
    pub(in crate::push) expired: u64,
    /// Messages that are in doubt since now.
    pub(in crate::push) doubted: u64,
    /// Whether messages wait for another one to the same person.
    pub(in crate::push) is_person_busy: bool,
}

/// Who takes messages up, and how many.
#[derive(Debug, Clone, Copy)]
pub(in crate::push) struct Taker<'a> {
    pub(in crate::push) account: AccountId,
    pub(in crate::push) channel: Channel,
    /// How many there are places for.
    pub(in crate::push) room: usize,
    /// People to whom a message is under way here.
    pub(in crate::push) busy: &'a HashSet<OpenId>,
}

impl Push {
    /// Takes messages of the account up.
    pub(in crate::push) async fn claim(&self, taker: Taker<'_>) -> Result<Batch, store::Error> {
        let transaction = self.store.begin().await?;
        let pace = push_pace::lock(&transaction, taker.account).await?;
        let clock = DatabaseClock::saying(store::now(&transaction).await?);
        if pace.held_until > clock.read_ms() {
            return Ok(Batch::default());
        }
        // Where the account was held, one message goes ahead.
        let most = if pace.held_until > 0 { 1 } else { taker.room };
        let rate = self.settings.rate_per_second;
        let slots = match Slots::from(pace.next_at, clock.read_ms(), rate, most) {
            Ok(slots) => slots,
            Err(rest) => {
                return Ok(Batch { rest: Some(Duration::from_millis(rest)), ..Batch::default() });
            }
        };
        let batch = self.take(&transaction, taker, pace, slots, clock).await?;
        transaction.commit().await?;
        Ok(batch)
    }

    async fn take(
        &self,
        transaction: &Transaction,
        taker: Taker<'_>,
        mut pace: Pace,
        slots: Slots,
        clock: DatabaseClock,
    ) -> Result<Batch, store::Error> {
        let now = clock.read_ms();
        let bounds = Bounds {
            now,
            until: self.settings.held_until(now),
            most: slots.count,
            expired_before: now - self.settings.expire_after.as_millis() as i64,
            channel: taker.channel,
            busy: taker.busy,
        };
        let sorter = look(transaction, taker.account, bounds.clone()).await?;
        let (mut batch, leaving) = sorter.write(transaction, taker.account).await?;
        if leaving.is_empty() {
            return Ok(batch);
        }
        let tests_account = pace.held_until > 0;
        pace.next_at = slots.at(leaving.len());
        // Nobody else tries until this one is back, or given up.
        pace.held_until = if tests_account { bounds.until } else { 0 };
        push_pace::save(transaction, taker.account, &pace).await?;
        let claimed = leaving.into_iter().enumerate().map(|(place, leaving)| Claimed {
            claim: Claim {
                id: leaving.message.id.clone(),
                attempt: leaving.message.attempt + 1,
                due_at: bounds.until,
            },
            first_sent_at: leaving.message.first_sent_at.unwrap_or(now),
            message: leaving.message,
            in_doubt: leaving.in_doubt,
            tests_account,
            tests_template: leaving.tests_template,
            passed_at: pace.passed_at,
            sends_at: slots.at(place),
            leaves_by: self.settings.leaves_by(now),
            clock,
        });
        batch.messages = claimed.map(Claimed::within_safety).collect();
        Ok(batch)
    }
}

/// Looks at what is due: at as many as may leave, and at more where fewer than half of those do.
async fn look<'a>(
    transaction: &Transaction,
    account: AccountId,
    bounds: Bounds<'a>,
) -> Result<Sorter<'a>, store::Error> {
    let stops = template_stops::list(transaction, account).await?;
    let (mut window, widest) = (bounds.most, LOOKED_AT.max(bounds.most));
    loop {
        let mut sorter = Sorter::new(stops.clone(), bounds.clone());
        let due = messages::list_due(transaction, account, bounds.now, window).await?;
        let is_all = due.len() < window || window == widest;
        due.into_iter().for_each(|due| sorter.sort(due));
        if is_all || 2 * sorter.leaving.len() >= bounds.most {
            return Ok(sorter);
        }
        window = widest.min(8 * window);
    }
}
