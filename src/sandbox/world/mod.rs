//! The state of the sandbox: accounts, people, tokens, codes, quotas, templates, consents and messages.
//!
//! Implements WeChat's rules and knows nothing of HTTP or JSON. Memory grows with the number of events,
//! not with the number of followers.

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
pub(crate) use template::{Line, Template, TemplateKind};

use tokio_util::sync::CancellationToken;

use super::call::Call;
use super::fault::{FaultRule, Plan, RuleId};
use super::random::mix;
use crate::clock::Clock;

const DAY_MILLIS: i64 = 86_400_000;

/// China Standard Time is UTC+8.
const CHINA_OFFSET_MILLIS: i64 = 8 * 3_600_000;

/// The whole state of a sandbox.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) page_size: usize,
    pub(crate) latency: BTreeMap<Call, Duration>,
    pub(crate) accounts: Vec<Account>,
    /// Per account, in the same order.
    pub(crate) usage: Vec<Usage>,
    pub(crate) tokens: token::Tokens,
    pub(crate) codes: code::Codes,
    pub(crate) forms: code::Codes,
    pub(crate) messages: message::Messages,
    pub(crate) templates: template::Templates,
    pub(crate) industries: industry::Industries,
    pub(crate) consents: consent::Consents,
    pub(crate) pushes: Pushes,
    /// Whether people who join, return or leave cause events to the account's callback.
    pub(crate) pushes_follows: AtomicBool,
    /// Whether receipts of messages are pushed to the account's callback.
    pub(crate) receipts: AtomicBool,
    /// Whether the API of Mini Programs' template messages that WeChat retired in 2020 is served.
    pub(crate) legacy_templates: bool,
    /// How long a push waits for its response.
    pub(crate) push_timeout: Duration,
    /// Cancels all tasks of the world.
    pub(crate) stop: CancellationToken,
    pub(crate) plan: Plan,
    /// Counts all calls, including those that belong to no account.
    pub(crate) counters: Counters,
    seed: u64,
    /// The number of Open Platform accounts so far.
    platforms: AtomicU64,
    /// The number of random numbers drawn so far.
    drawn: AtomicU64,
}

/// The usage of one account: quotas and counters.
#[derive(Debug)]
pub(crate) struct Usage {
    pub(crate) quotas: Quotas,
    pub(crate) counters: Counters,
}

impl World {
    pub(crate) fn account(&self, appid: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.appid == appid)
    }

    /// The seed of everything pseudo-random in the world.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the world's time as Unix time in ms.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().timestamp_millis()
    }

    /// Returns the next pseudo-random number.
    pub(crate) fn random(&self) -> u64 {
        mix(mix(self.seed ^ 0x51) ^ self.drawn.fetch_add(1, Ordering::Relaxed))
    }

    /// Binds accounts to one new Open Platform account. All their unionids change; a person has the same
    /// unionid in each of these accounts.
    pub(crate) fn rebind<'a>(&self, accounts: impl Iterator<Item = &'a Account>) {
        let platform = self.platforms.fetch_add(1, Ordering::Relaxed);
        let unionids = setup::unionids(self.seed, platform);
        accounts.for_each(|account| account.change(|state| state.unionids = Some(unionids)));
    }

    /// Makes this many pseudo-randomly chosen followers leave. Returns their numbers.
    pub(crate) fn leave_any(&self, account: &Account, count: u64) -> Vec<u64> {
        account.change(|state| {
            let people = &mut state.population;
            let count = count.min(people.count()) as usize;
            let mut left = Vec::new();
            while left.len() < count {
                // With very few followers left, random probes may find none: take the first of the list.
                let person = people.any_follower(self.random());
                let person = person.or_else(|| people.after(None).next());
                people.leave(person);
                left.extend(person);
            }
            left
        })
    }

    /// Applies a fault rule from now on. Returns an id if the rule is for calls.
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

/// Returns the day in China, as days since 1970-01-01. `millis` is Unix time in ms.
fn china_day(millis: i64) -> i64 {
    (millis + CHINA_OFFSET_MILLIS).div_euclid(DAY_MILLIS)
}
