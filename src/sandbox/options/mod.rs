//! Which world to create: accounts, sizes, latencies, quotas, lifetimes.

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

/// Which world to create, and where the sandbox listens.
///
/// The default is one Official Account with 10,000 followers and one Mini Program, both bound to the same
/// Open Platform account, on a free port of the loopback interface.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address to listen on. Port 0 picks a free port.
    pub listen: SocketAddr,
    /// Equal seeds create equal worlds.
    pub seed: u64,
    /// The Official Accounts, at least one.
    pub official_accounts: Vec<OfficialAccount>,
    /// The Mini Programs. May be empty.
    pub mini_programs: Vec<MiniProgram>,
    /// Openids per page of `user/get`. WeChat returns 10,000.
    pub page_size: usize,
    /// The latency of each call. Other calls are answered immediately.
    pub latency: BTreeMap<Call, Duration>,
    /// Calls per day and account. Other calls have no limit. `batchget` is charged per call, not per openid.
    pub quotas: BTreeMap<Call, u64>,
    /// The lifetime of an access token. WeChat's is 7,200 s.
    pub token_lifetime: Duration,
    /// Whether people who join, return or leave cause events to the account's callback, as on WeChat.
    /// Changes by [`Drift`](crate::sandbox::Drift) never cause events.
    pub pushes_follows: bool,
    /// Whether the receipt of a message is pushed to the account's callback, if the callback has a URL.
    pub receipts: bool,
    /// Whether to serve the API of Mini Programs' template messages that WeChat retired in 2020, as some
    /// gateways still do. WeChat answers 45103.
    pub legacy_templates: bool,
    /// How long a push waits for its response. WeChat waits 5 s.
    pub push_timeout: Duration,
    /// The clock of tokens, codes, quotas, pushes and the `Date` header of every response.
    pub clock: Clock,
    /// Fault rules that apply from the start.
    pub faults: Vec<FaultRule>,
}

impl Default for Options {
    fn default() -> Self {
        Self::with_followers(10_000)
    }
}

impl Options {
    /// Creates the default options with this many followers.
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

    /// Sets the latency of a call.
    pub fn latency(mut self, call: Call, latency: Duration) -> Self {
        self.latency.insert(call, latency);
        self
    }

    /// Limits a call to this many per day and account.
    pub fn quota(mut self, call: Call, limit: u64) -> Self {
        self.quotas.insert(call, limit);
        self
    }

    /// Sets the quotas that WeChat gives to a new account.
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

    /// Sets the callback of every account.
    pub fn callback(self, callback: Callback) -> Self {
        self.callbacks(|_, _| Some(callback.clone()))
    }

    /// Sets the callback of the account with this AppID.
    pub fn callback_of(self, appid: &str, callback: Callback) -> Self {
        self.callbacks(|other, old| if other == appid { Some(callback.clone()) } else { old })
    }

    /// Gives every account a callback in safe mode at this URL, in which `{appid}` is replaced by the AppID.
    /// Each account gets its own token and key, derived from the seed.
    pub fn callback_url(self, url: &str) -> Self {
        let seed = self.seed;
        self.callbacks(|appid, _| Some(Callback::made(url, seed, appid)))
    }

    /// Sets each account's callback to the result of `change`, which gets the AppID and the old callback.
    pub fn callbacks(
        mut self,
        change: impl Fn(&str, Option<Callback>) -> Option<Callback>,
    ) -> Self {
        let official = self.official_accounts.iter_mut();
        let official = official.map(|account| (&account.appid, &mut account.callback));
        let programs = self.mini_programs.iter_mut();
        let programs = programs.map(|account| (&account.appid, &mut account.callback));
        official.chain(programs).for_each(|(appid, slot)| *slot = change(appid, slot.take()));
        self
    }

    /// Returns the TOML configuration that points unionid-bridge at this world.
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
    fn the_generated_configuration_is_toml_with_every_account() {
        let text = Options::default().config_toml("http://127.0.0.1:9");
        let config: toml::Table = text.parse().unwrap();
        assert_eq!(config["wechat"]["base_url"].as_str(), Some("http://127.0.0.1:9"));
        assert_eq!(config["official_accounts"][0]["appid"].as_str(), Some(OFFICIAL_ACCOUNT));
        assert_eq!(config["mini_programs"][0]["secret"].as_str(), Some(MINI_PROGRAM_SECRET));
    }
}
