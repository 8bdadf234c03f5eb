//! What world to make: accounts, sizes, latencies, quotas, lifetimes.

mod account;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

pub use account::{
    LastPage, MINI_PROGRAM, MINI_PROGRAM_SECRET, MiniProgram, OFFICIAL_ACCOUNT,
    OFFICIAL_ACCOUNT_SECRET, OfficialAccount,
};

use super::call::Call;
use super::fault::FaultRule;
use super::push::Callback;
use crate::clock::Clock;

/// What world to make, and where it listens.
///
/// The default is one Official Account of 10,000 followers and one Mini Program, bound to one Open
/// Platform account, on a free port of loopback.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Equal seeds make equal worlds.
    pub seed: u64,
    /// At least one.
    pub official_accounts: Vec<OfficialAccount>,
    /// May be empty.
    pub mini_programs: Vec<MiniProgram>,
    /// Openids on a page of `user/get`; the vendor's is 10,000.
    pub page_size: usize,
    /// How long an answer takes; calls not named take no time.
    pub latency: BTreeMap<Call, Duration>,
    /// Calls a day and account; calls not named have no limit. `batchget` is charged per call.
    pub quotas: BTreeMap<Call, u64>,
    /// How long an access token lives; the vendor's is 7,200 s.
    pub token_lifetime: Duration,
    /// Whether who joins, comes back and leaves is pushed to the account's callback as the vendor
    /// does; people who drift while they are listed are not.
    pub pushes_follows: bool,
    /// Whether what became of a message is pushed to the account's callback, where that has a URL.
    pub receipts: bool,
    /// Whether Mini Programs' template messages of the years before 2020 are served, as gateways do
    /// that kept them; the vendor answers 45103.
    pub legacy_templates: bool,
    /// How long a push waits for its answer; the vendor's is 5 s.
    pub push_timeout: Duration,
    /// What tokens, codes, quotas, pushes and the `Date` of every answer take the time from.
    pub clock: Clock,
    /// What goes wrong, from the start.
    pub faults: Vec<FaultRule>,
}

impl Default for Options {
    fn default() -> Self {
        Self::with_followers(10_000)
    }
}

impl Options {
    /// The default world with that many followers.
    pub fn with_followers(followers: u64) -> Self {
        let main =
            OfficialAccount::new("main", OFFICIAL_ACCOUNT, OFFICIAL_ACCOUNT_SECRET, followers);
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            official_accounts: vec![main],
            mini_programs: vec![MiniProgram::new("shop", MINI_PROGRAM, MINI_PROGRAM_SECRET)],
            page_size: 10_000,
            latency: BTreeMap::new(),
            quotas: BTreeMap::new(),
            token_lifetime: Duration::from_secs(7_200),
            pushes_follows: false,
            receipts: true,
            legacy_templates: false,
            push_timeout: Duration::from_secs(5),
            clock: Clock::system(),
            faults: Vec::new(),
        }
    }

    /// Makes a call take that long.
    pub fn latency(mut self, call: Call, latency: Duration) -> Self {
        self.latency.insert(call, latency);
        self
    }

    /// Limits a call to that many a day and account.
    pub fn quota(mut self, call: Call, limit: u64) -> Self {
        self.quotas.insert(call, limit);
        self
    }

    /// Limits calls as the vendor limits those of a new account.
    pub fn vendor_quotas(mut self) -> Self {
        self.quotas.extend([
            (Call::Token, 2_000),
            (Call::StableToken, 500_000),
            (Call::UserGet, 500),
            (Call::UserInfo, 5_000_000),
            (Call::TemplateSend, 100_000),
            (Call::WxopenSend, 1_000_000),
        ]);
        self
    }

    /// Gives every account that callback.
    pub fn callback(self, callback: Callback) -> Self {
        self.callbacks(|_, _| Some(callback.clone()))
    }

    /// Gives the account with that AppID that callback.
    pub fn callback_of(self, appid: &str, callback: Callback) -> Self {
        self.callbacks(|other, had| if other == appid { Some(callback.clone()) } else { had })
    }

    /// Gives every account a callback in safe mode at that URL, in which `{appid}` stands for its
    /// AppID, with a token and a key of its own that the seed decides.
    pub fn callback_url(self, url: &str) -> Self {
        let seed = self.seed;
        self.callbacks(|appid, _| Some(Callback::made(url, seed, appid)))
    }

    /// Gives each account the callback that `change` makes of its AppID and the callback it had.
    pub fn callbacks(
        mut self,
        change: impl Fn(&str, Option<Callback>) -> Option<Callback>,
    ) -> Self {
        let official = self.official_accounts.iter_mut();
        let official = official.map(|account| (&account.appid, &mut account.callback));
        let programs = self.mini_programs.iter_mut();
        let programs = programs.map(|account| (&account.appid, &mut account.callback));
        official.chain(programs).for_each(|(appid, place)| *place = change(appid, place.take()));
        self
    }

    /// The lines of configuration that point unionid-bridge at this world.
    pub fn config_toml(&self, base_url: &str) -> String {
        let mut text = format!("[wechat]\nbase_url = \"{base_url}\"\n");
        for account in &self.official_accounts {
            let names = [&account.name, &account.appid, &account.secret];
            text += &section("official_accounts", names, account.callback.as_ref());
        }
        for account in &self.mini_programs {
            let names = [&account.name, &account.appid, &account.secret];
            text += &section("mini_programs", names, account.callback.as_ref());
        }
        text
    }
}

fn section(section: &str, names: [&String; 3], callback: Option<&Callback>) -> String {
    let [name, appid, secret] = names;
    let mut text =
        format!("\n[[{section}]]\nname = \"{name}\"\nappid = \"{appid}\"\nsecret = \"{secret}\"\n");
    if let Some(callback) = callback {
        text += &format!("callback_token = \"{}\"\n", callback.token);
        let key = callback.encoding_aes_key.iter();
        text.extend(key.map(|key| format!("encoding_aes_key = \"{key}\"\n")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_toml_with_every_account() {
        let text = Options::default().config_toml("http://127.0.0.1:9");
        let config: toml::Table = text.parse().unwrap();
        assert_eq!(config["wechat"]["base_url"].as_str(), Some("http://127.0.0.1:9"));
        assert_eq!(config["official_accounts"][0]["appid"].as_str(), Some(OFFICIAL_ACCOUNT));
        assert_eq!(config["mini_programs"][0]["secret"].as_str(), Some(MINI_PROGRAM_SECRET));
    }
}
