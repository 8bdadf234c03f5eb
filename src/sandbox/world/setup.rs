//! Creates a world from its options.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64};

use tokio_util::sync::CancellationToken;

use super::consent::Consents;
use super::counters::Counters;
use super::industry::Industries;
use super::message::Messages;
use super::population::Population;
use super::push::Pushes;
use super::quota::Quotas;
use super::template::{TemplateKind, Templates};
use super::{Account, Ids, Kind, State, Switches, Usage, World, code, library, token};
use crate::sandbox::fault::Plan;
use crate::sandbox::options::{MiniProgram, OfficialAccount, Options};
use crate::sandbox::push::{Callback, InvalidCallback};
use crate::sandbox::random::mix;

/// Why a world cannot be created, or a rule not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWorld {
    /// The options contain no Official Account.
    #[error("a sandbox needs at least one Official Account")]
    NoOfficialAccount,
    /// Two accounts have the same AppID.
    #[error("two accounts of the sandbox have the AppID {0}")]
    SameAppId(String),
    /// A rule names an account that does not exist.
    #[error("no account of the sandbox has the AppID {0}")]
    NoSuchAccount(String),
    /// An account's callback is invalid.
    #[error(transparent)]
    Callback(#[from] InvalidCallback),
}

impl World {
    pub(crate) fn new(options: &Options) -> Result<Self, InvalidWorld> {
        let accounts = accounts(options)?;
        check(options, &accounts)?;
        let usage = |_: &Account| Usage {
            quotas: Quotas::new(options.quotas.clone()),
            counters: Counters::default(),
        };
        let salt = mix(options.seed ^ options.clock.now().timestamp_micros() as u64);
        let world = Self {
            clock: options.clock.clone(),
            page_size: options.page_size.max(1),
            latency: options.latency.clone(),
            usage: accounts.iter().map(usage).collect(),
            tokens: token::Tokens::new(accounts.len(), options.token_lifetime, salt),
            codes: code::Codes::new(code::LOGIN, mix(salt ^ 1)),
            forms: code::Codes::new(code::FORM, mix(salt ^ 2)),
            messages: Messages::default(),
            templates: templates(&accounts, options.seed),
            industries: Industries::new(accounts.len()),
            consents: Consents::default(),
            pushes: Pushes::new(),
            pushes_follows: AtomicBool::new(options.pushes_follows),
            receipts: AtomicBool::new(options.receipts),
            legacy_templates: options.legacy_templates,
            push_timeout: options.push_timeout,
            stop: CancellationToken::new(),
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

/// Returns the unionids of the Open Platform account with this number.
pub(super) fn unionids(seed: u64, platform: u64) -> Ids {
    Ids::new(seed, &format!("open platform {platform}"))
}

fn accounts(options: &Options) -> Result<Vec<Account>, InvalidWorld> {
    let seed = options.seed;
    let mut accounts = Vec::new();
    let mut add = |kind, names: (&str, &str), followers, bound: bool, switches, callback| {
        let (appid, _) = names;
        let callback = callback_of(callback, kind, appid)?;
        let population = Population::new(seed, appid, followers);
        let unionids = bound.then(|| unionids(seed, 0));
        let state = State { population, unionids, switches, callback };
        accounts.push(Account::new(accounts.len(), kind, names, seed, state));
        Ok::<_, InvalidWorld>(())
    };
    for account in &options.official_accounts {
        let OfficialAccount { appid, secret, followers, bound, callback, .. } = account;
        let switches = Switches { last_page: account.last_page, ..Switches::default() };
        add(Kind::Official, (appid, secret), *followers, *bound, switches, callback)?;
    }
    for MiniProgram { appid, secret, bound, callback, .. } in &options.mini_programs {
        add(Kind::MiniProgram, (appid, secret), 0, *bound, Switches::default(), callback)?;
    }
    Ok(accounts)
}

/// Creates the initial templates, two per account.
fn templates(accounts: &[Account], seed: u64) -> Templates {
    let templates = Templates::new(seed);
    for account in accounts {
        match account.kind {
            Kind::Official => {
                let kind = TemplateKind::Official;
                let lines = library::official::lines(&["订单编号", "商品名称", "发货时间"]);
                templates.add(account.number, kind, ("订单发货通知", false), lines);
                let lines = library::official::lines(&["预约项目", "预约时间", "预约状态"]);
                templates.add(account.number, kind, ("预约成功提醒", false), lines);
            }
            Kind::MiniProgram => {
                for (tid, kids) in [
                    (library::subscribe::ORDER_PAID, 1..=4),
                    (library::subscribe::ORDER_READY, 1..=3),
                ] {
                    let title = library::subscribe::title(tid);
                    let lines = title.and_then(|title| title.lines(&kids.collect::<Vec<_>>()));
                    if let (Some(title), Some(lines)) = (title, lines) {
                        let name = (title.title, title.lasting);
                        templates.add(account.number, TemplateKind::Subscribe, name, lines);
                    }
                }
            }
        }
    }
    templates
}

/// Adapts the callback to the account and validates it.
fn callback_of(
    callback: &Option<Callback>,
    kind: Kind,
    appid: &str,
) -> Result<Option<Callback>, InvalidCallback> {
    callback.as_ref().map(|callback| callback.for_account(kind, appid)).transpose()
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
