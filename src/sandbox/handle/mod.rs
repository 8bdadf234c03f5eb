//! The handle of the sandbox: start and stop, faults, counters, and access to its accounts.

mod account;
mod callback;
mod message;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub use account::{Account, Person};

use super::call::Call;
use super::fault::{Fault, FaultRule, RuleId, Target, When};
use super::options::Options;
use super::push::InvalidCallback;
use super::wire::Server;
use super::world::{InvalidWorld, Kind, Push, PushId, SentMessage, Stats, World};

/// Why a sandbox cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The options are invalid.
    #[error(transparent)]
    World(#[from] InvalidWorld),
    /// The address is in use or not available.
    #[error("the sandbox cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
}

/// The handle of a running sandbox. Clones share the sandbox, which stops when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Sandbox {
    world: Arc<World>,
    server: Arc<Server>,
    options: Arc<Options>,
}

impl Sandbox {
    /// Creates the world and starts to listen.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let world = Arc::new(World::new(&options)?);
        let address = options.listen;
        let server = Server::start(world.clone(), address).await;
        let server = server.map_err(|source| Error::Listen { address, source })?;
        Ok(Self { world, server: Arc::new(server), options: Arc::new(options) })
    }

    /// Starts the default world with this many followers.
    pub async fn with_followers(followers: u64) -> Result<Self, Error> {
        Self::start(Options::with_followers(followers)).await
    }

    /// Closes all connections and frees the address. The state can still be read.
    pub async fn stop(&self) {
        self.server.stop().await;
    }

    /// Returns the address that the sandbox listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Returns the URL to configure as WeChat's base URL.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Returns the TOML configuration that points unionid-bridge at this sandbox.
    pub fn config_toml(&self) -> String {
        let options = (*self.options).clone();
        let current = |appid: &str, _| self.world.account(appid)?.state().callback.clone();
        options.callbacks(current).config_toml(&self.base_url())
    }

    /// Returns the first Official Account.
    pub fn main(&self) -> Account {
        Account::new(self.world.clone(), 0)
    }

    /// Returns the first Mini Program, if there is one.
    pub fn mini_program(&self) -> Option<Account> {
        let mut accounts = self.world.accounts.iter();
        let found = accounts.find(|account| account.kind == Kind::MiniProgram)?;
        Some(Account::new(self.world.clone(), found.number))
    }

    /// Returns the account with this AppID.
    pub fn account(&self, appid: &str) -> Option<Account> {
        let number = self.world.account(appid)?.number;
        Some(Account::new(self.world.clone(), number))
    }

    /// Makes calls go wrong: `fail(Call::UserGet, 2, Fault::Disconnect)`.
    ///
    /// Requests are counted from now on. If several rules affect the same request, the oldest one is applied.
    pub fn fail(&self, target: impl Into<Target>, when: impl Into<When>, fault: Fault) -> RuleId {
        self.world.plan.add(target.into(), when.into(), fault)
    }

    /// Applies a rule. Returns its id if it is a rule for calls.
    pub fn apply(&self, rule: FaultRule) -> Result<Option<RuleId>, InvalidWorld> {
        self.world.apply(rule)
    }

    /// Returns the number of requests that a rule affected; 0 if the rule was removed.
    pub fn hits(&self, rule: RuleId) -> u64 {
        self.world.plan.hits(rule)
    }

    /// Removes all rules for calls.
    pub fn clear_faults(&self) {
        self.world.plan.clear();
    }

    /// Returns the counters since the start or the last reset.
    pub fn stats(&self) -> Stats {
        self.world.counters.stats()
    }

    /// Returns the number of requests of a call.
    pub fn requests(&self, call: Call) -> u64 {
        self.stats().requests(call)
    }

    /// Resets the counters of the world and of every account.
    pub fn reset_stats(&self) {
        self.world.counters.reset();
        self.world.usage.iter().for_each(|usage| usage.counters.reset());
    }

    /// Resets the daily quotas of every account, as at midnight.
    pub fn reset_quotas(&self) {
        self.world.usage.iter().for_each(|usage| usage.quotas.reset());
    }

    /// Binds all accounts to another Open Platform account: every unionid changes.
    pub fn rebind(&self) {
        self.world.rebind(self.world.accounts.iter());
    }

    /// Changes the URL of every account's callback. `{appid}` is replaced by the account's AppID. Accounts
    /// without a callback are skipped.
    pub fn set_callback_url(&self, url: &str) -> Result<(), InvalidCallback> {
        let numbers = 0..self.world.accounts.len();
        let accounts = numbers.map(|number| Account::new(self.world.clone(), number));
        accounts
            .filter(|account| account.callback().is_some())
            .try_for_each(|account| account.set_callback_url(url))
    }

    /// Sets whether people who join, return or leave cause events to the account's callback.
    pub fn push_follows(&self, follows: bool) {
        self.world.pushes_follows.store(follows, Ordering::SeqCst);
    }

    /// Sets whether the receipts of messages accepted from now on are pushed to the account's callback.
    pub fn push_receipts(&self, receipts: bool) {
        self.world.receipts.store(receipts, Ordering::SeqCst);
    }

    /// Returns the pushes, oldest first. The latest 20,000 are kept.
    pub fn pushes(&self) -> Vec<Push> {
        self.world.pushes.list()
    }

    /// Returns the push with this id.
    pub fn find_push(&self, id: PushId) -> Option<Push> {
        self.world.pushes.find(id)
    }

    /// Waits until no push is in progress.
    pub async fn settled(&self) {
        self.world.pushes.settled().await;
    }

    /// Returns the accepted messages, oldest first. The latest 20,000 are kept.
    pub fn sent_messages(&self) -> Vec<SentMessage> {
        self.world.messages.sent()
    }
}
