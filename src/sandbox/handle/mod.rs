//! The sandbox as its owner holds it: start and stop, faults, counts, the way to its accounts.

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
    /// What was asked for cannot be made.
    #[error(transparent)]
    World(#[from] InvalidWorld),
    /// The address is taken or not ours.
    #[error("the sandbox cannot listen on {address}")]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

/// A running WeChat. Clones share it; when the last of them is dropped, it ends.
#[derive(Debug, Clone)]
pub struct Sandbox {
    world: Arc<World>,
    server: Arc<Server>,
    options: Arc<Options>,
}

impl Sandbox {
    /// Makes the world and listens.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let world = Arc::new(World::new(&options)?);
        let address = options.listen;
        let server = Server::start(world.clone(), address).await;
        let server = server.map_err(|source| Error::Listen { address, source })?;
        Ok(Self { world, server: Arc::new(server), options: Arc::new(options) })
    }

    /// Starts the default world with that many followers.
    pub async fn with_followers(followers: u64) -> Result<Self, Error> {
        Self::start(Options::with_followers(followers)).await
    }

    /// Closes every connection and frees the address; the world can still be asked.
    pub async fn stop(&self) {
        self.server.stop().await;
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// What to configure as WeChat's base URL.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The lines of configuration that point unionid-bridge at this sandbox.
    pub fn config_toml(&self) -> String {
        let options = (*self.options).clone();
        let now = |appid: &str, _| self.world.account(appid)?.state().callback.clone();
        options.callbacks(now).config_toml(&self.base_url())
    }

    /// The first Official Account.
    pub fn main(&self) -> Account {
        Account::new(self.world.clone(), 0)
    }

    /// The first Mini Program, if there is one.
    pub fn mini_program(&self) -> Option<Account> {
        let mut accounts = self.world.accounts.iter();
        let found = accounts.find(|account| account.kind == Kind::MiniProgram)?;
        Some(Account::new(self.world.clone(), found.number))
    }

    /// The account with that AppID.
    pub fn account(&self, appid: &str) -> Option<Account> {
        let number = self.world.account(appid)?.number;
        Some(Account::new(self.world.clone(), number))
    }

    /// Has something go wrong with calls: `fail(Call::UserGet, 2, Fault::Disconnect)`.
    ///
    /// Requests are counted from now on. Where several rules strike one request, the oldest has it.
    pub fn fail(&self, target: impl Into<Target>, when: impl Into<When>, fault: Fault) -> RuleId {
        self.world.plan.add(target.into(), when.into(), fault)
    }

    /// Makes a rule hold; gives its id where it is one for calls.
    pub fn apply(&self, rule: FaultRule) -> Result<Option<RuleId>, InvalidWorld> {
        self.world.apply(rule)
    }

    /// How many requests a rule has struck; 0 for a rule that was forgotten.
    pub fn struck(&self, rule: RuleId) -> u64 {
        self.world.plan.struck(rule)
    }

    /// Forgets every rule for calls.
    pub fn clear_faults(&self) {
        self.world.plan.clear();
    }

    /// What was asked of the world since it began or was reset.
    pub fn stats(&self) -> Stats {
        self.world.counters.stats()
    }

    /// How often a call was made.
    pub fn requests(&self, call: Call) -> u64 {
        self.stats().requests(call)
    }

    /// Starts counting again, for the world and every account.
    pub fn reset_stats(&self) {
        self.world.counters.reset();
        self.world.desks.iter().for_each(|desk| desk.counters.reset());
    }

    /// Starts every account's daily quotas again, as midnight does.
    pub fn reset_quotas(&self) {
        self.world.desks.iter().for_each(|desk| desk.quotas.reset());
    }

    /// Binds all accounts to another Open Platform account: every unionid changes.
    pub fn rebind(&self) {
        self.world.rebind(self.world.accounts.iter());
    }

    /// Where the callbacks of all accounts are; `{appid}` stands for the AppID of each. Accounts
    /// without a callback still have none.
    pub fn set_callback_url(&self, url: &str) -> Result<(), InvalidCallback> {
        let numbers = 0..self.world.accounts.len();
        let accounts = numbers.map(|number| Account::new(self.world.clone(), number));
        accounts
            .filter(|account| account.callback().is_some())
            .try_for_each(|account| account.set_callback_url(url))
    }

    /// Whether who joins, comes back and leaves from now on is pushed to the account's callback.
    pub fn push_follows(&self, follows: bool) {
        self.world.pushes_follows.store(follows, Ordering::SeqCst);
    }

    /// Whether what becomes of messages that are accepted from now on is pushed to the account's
    /// callback.
    pub fn push_receipts(&self, receipts: bool) {
        self.world.receipts.store(receipts, Ordering::SeqCst);
    }

    /// What was pushed, the oldest first; the latest 20,000 are kept.
    pub fn pushes(&self) -> Vec<Push> {
        self.world.pushes.list()
    }

    /// One of the pushes.
    pub fn find_push(&self, id: PushId) -> Option<Push> {
        self.world.pushes.find(id)
    }

    /// Waits until no push is under way.
    pub async fn settled(&self) {
        self.world.pushes.settled().await;
    }

    /// The messages that were accepted, the oldest first; the latest 20,000 are kept.
    pub fn sent_messages(&self) -> Vec<SentMessage> {
        self.world.messages.sent()
    }
}
