//! The world behind the sandbox: accounts, people, tokens, codes, quotas, templates, consents and
//! messages.
//!
//! Knows the vendor's rules and nothing of HTTP or JSON. What it holds grows with what happens in
//! it, not with the number of followers.

mod account;
mod code;
mod consent;
mod counters;
mod ids;
mod industry;
pub(crate) mod library;
mod message;
mod population;
mod push;
mod quota;
mod setup;
mod template;
mod token;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

pub use account::Drift;
pub(crate) use account::{Account, Kind, State, Switches};
pub use consent::Permission;
pub(crate) use counters::Counters;
pub use counters::{CallStats, Stats};
pub(crate) use ids::{ID_LENGTH, Id, Ids};
pub use message::SentMessage;
pub(crate) use population::Page;
pub(crate) use push::Pushes;
pub use push::{Attempt, Push, PushId, PushState};
pub(crate) use quota::Quotas;
pub use setup::InvalidWorld;
pub(crate) use template::{Line, Shelf, Template};

use tokio_util::sync::CancellationToken;

use super::call::Call;
use super::chance::mix;
use super::fault::{FaultRule, Plan, RuleId};
use crate::clock::Clock;

/// A day.
const DAY_MILLIS: i64 = 86_400_000;

/// Midnight in China comes eight hours before midnight UTC.
const CHINA_OFFSET_MILLIS: i64 = 8 * 3_600_000;

/// All that the sandbox answers from.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) page_size: usize,
    pub(crate) latency: BTreeMap<Call, Duration>,
    pub(crate) accounts: Vec<Account>,
    /// Per account, in the same order.
    pub(crate) desks: Vec<Desk>,
    pub(crate) tokens: token::Tokens,
    pub(crate) codes: code::Codes,
    pub(crate) forms: code::Codes,
    pub(crate) messages: message::Messages,
    pub(crate) templates: template::Templates,
    pub(crate) industries: industry::Industries,
    pub(crate) consents: consent::Consents,
    pub(crate) pushes: Pushes,
    /// Whether who comes and goes is told to the account's callback.
    pub(crate) pushes_follows: AtomicBool,
    /// Whether what became of a message is told to the account's callback.
    pub(crate) receipts: AtomicBool,
    /// Whether Mini Programs' template messages of the years before 2020 are served.
    pub(crate) legacy_templates: bool,
    /// How long a push waits for its answer.
    pub(crate) push_timeout: Duration,
    /// Ends everything that the world has begun.
    pub(crate) stop: CancellationToken,
    pub(crate) plan: Plan,
    /// Of all calls, those of no account among them.
    pub(crate) counters: Counters,
    seed: u64,
    platforms: AtomicU64,
    drawn: AtomicU64,
}

/// What is kept beside an account while calls arrive.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) quotas: Quotas,
    pub(crate) counters: Counters,
}

impl World {
    pub(crate) fn account(&self, appid: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.appid == appid)
    }

    /// What decides everything that chance would.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Milliseconds since 1970, by the world's clock.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().timestamp_millis()
    }

    /// The next number that looks random.
    pub(crate) fn draw(&self) -> u64 {
        mix(mix(self.seed ^ 0x51) ^ self.drawn.fetch_add(1, Ordering::Relaxed))
    }

    /// Binds accounts to one Open Platform account that never was before: all their unionids
    /// change, alike.
    pub(crate) fn rebind<'a>(&self, accounts: impl Iterator<Item = &'a Account>) {
        let platform = self.platforms.fetch_add(1, Ordering::Relaxed);
        let unionids = setup::unionids(self.seed, platform);
        accounts.for_each(|account| account.change(|state| state.unionids = Some(unionids)));
    }

    /// Takes that many followers away, as chance has it. Tells who left.
    pub(crate) fn leave_any(&self, account: &Account, count: u64) -> Vec<u64> {
        account.change(|state| {
            let people = &mut state.population;
            let wanted = count.min(people.count()) as usize;
            let mut left = Vec::new();
            while left.len() < wanted {
                // Where hardly anybody is left, chance finds nobody and the list's first will do.
                let someone = people.any_follower(self.draw());
                let someone = someone.or_else(|| people.after(None).next());
                people.leave(someone);
                left.extend(someone);
            }
            left
        })
    }

    /// Makes a rule hold from now on.
    pub(crate) fn apply(&self, rule: FaultRule) -> Result<Option<RuleId>, InvalidWorld> {
        match rule {
            FaultRule::Call { target, when, fault } => Ok(Some(self.plan.add(target, when, fault))),
            FaultRule::People { appid, people, quirk } => {
                let account = match appid {
                    Some(appid) => {
                        self.account(&appid).ok_or(InvalidWorld::NoSuchAccount(appid))?
                    }
                    None => self.accounts.first().ok_or(InvalidWorld::NoOfficialAccount)?,
                };
                account.change(|state| {
                    people.for_each(|person| state.population.add_quirk(person, quirk));
                });
                Ok(None)
            }
        }
    }
}

/// The number of the day in China.
fn china_day(millis: i64) -> i64 {
    (millis + CHINA_OFFSET_MILLIS).div_euclid(DAY_MILLIS)
}
