//! How a world is made from its options.

use std::collections::HashSet;
use std::sync::atomic::AtomicU64;

use super::counters::Counters;
use super::message::Messages;
use super::population::Population;
use super::quota::Quotas;
use super::{Account, Desk, Ids, Kind, State, Switches, World, code, token};
use crate::sandbox::chance::mix;
use crate::sandbox::fault::Plan;
use crate::sandbox::options::Options;

/// Why a world cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWorld {
    /// Followers need something to follow.
    #[error("a sandbox needs an Official Account")]
    NoOfficialAccount,
    /// Two accounts cannot share an AppID.
    #[error("two accounts of the sandbox have the AppID {0}")]
    SameAppId(String),
    /// A rule is for an account that there is not.
    #[error("no account of the sandbox has the AppID {0}")]
    NoSuchAccount(String),
}

impl World {
    pub(crate) fn new(options: &Options) -> Result<Self, InvalidWorld> {
        let accounts = accounts(options);
        check(options, &accounts)?;
        let desk = |_: &Account| Desk {
            quotas: Quotas::new(options.quotas.clone()),
            counters: Counters::default(),
        };
        let salt = mix(options.seed ^ options.clock.now().timestamp_micros() as u64);
        let world = Self {
            clock: options.clock.clone(),
            page_size: options.page_size.max(1),
            latency: options.latency.clone(),
            desks: accounts.iter().map(desk).collect(),
            tokens: token::Tokens::new(accounts.len(), options.token_lifetime, salt),
            codes: code::Codes::new(mix(salt ^ 1)),
            messages: Messages::new(accounts.len(), options.seed),
            plan: Plan::new(options.seed),
            counters: Counters::default(),
            seed: options.seed,
            platforms: AtomicU64::new(1),
            drawn: AtomicU64::new(0),
            accounts,
        };
        for rule in &options.faults {
            world.apply(rule.clone())?;
        }
        Ok(world)
    }
}

/// The unionids of the Open Platform account with that number.
pub(super) fn unionids(seed: u64, platform: u64) -> Ids {
    Ids::new(seed, &format!("open platform {platform}"))
}

fn accounts(options: &Options) -> Vec<Account> {
    let seed = options.seed;
    let state = |appid: &str, followers, bound: bool, switches| State {
        population: Population::new(seed, appid, followers),
        unionids: bound.then(|| unionids(seed, 0)),
        switches,
    };
    let official = options.official_accounts.iter().map(|account| {
        let switches = Switches { last_page: account.last_page, ..Switches::default() };
        let state = state(&account.appid, account.followers, account.bound, switches);
        (Kind::Official, (account.appid.as_str(), account.secret.as_str()), state)
    });
    let mini_programs = options.mini_programs.iter().map(|account| {
        let state = state(&account.appid, 0, account.bound, Switches::default());
        (Kind::MiniProgram, (account.appid.as_str(), account.secret.as_str()), state)
    });
    let numbered = official.chain(mini_programs).enumerate();
    numbered.map(|(n, (kind, names, state))| Account::new(n, kind, names, seed, state)).collect()
}

fn check(options: &Options, accounts: &[Account]) -> Result<(), InvalidWorld> {
    if options.official_accounts.is_empty() {
        return Err(InvalidWorld::NoOfficialAccount);
    }
    let mut seen = HashSet::new();
    match accounts.iter().find(|account| !seen.insert(&account.appid)) {
        Some(account) => Err(InvalidWorld::SameAppId(account.appid.clone())),
        None => Ok(()),
    }
}
