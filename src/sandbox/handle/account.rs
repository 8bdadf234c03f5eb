//! The handle of one account: reads its true state and changes it.

use std::ops::Range;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::sandbox::answer::{UserData, encrypted_user_data, session_key};
use crate::sandbox::call::Call;
use crate::sandbox::fault::Quirk;
use crate::sandbox::options::LastPage;
use crate::sandbox::push;
use crate::sandbox::world::{self, Drift, Stats, Switches, World};

/// The true data of a person in one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The person's number, the same in every account.
    pub number: u64,
    /// The person's openid in this account.
    pub openid: String,
    /// The person's unionid. `None` only if WeChat has none; a unionid that calls merely omit is present.
    pub unionid: Option<String>,
}

/// The handle of an Official Account or a Mini Program of the sandbox. Clones refer to the same account.
#[derive(Debug, Clone)]
pub struct Account {
    pub(super) world: Arc<World>,
    pub(super) number: usize,
}

impl Account {
    pub(super) fn new(world: Arc<World>, number: usize) -> Self {
        Self { world, number }
    }

    pub(super) fn inner(&self) -> &world::Account {
        &self.world.accounts[self.number]
    }

    /// Returns the AppID.
    pub fn appid(&self) -> &str {
        &self.inner().appid
    }

    /// Returns the AppSecret.
    pub fn secret(&self) -> &str {
        &self.inner().secret
    }

    /// Returns the current followers, in list order.
    pub fn followers(&self) -> impl Iterator<Item = Person> {
        let state = self.inner().state();
        let people: Vec<u64> = state.population.after(None).collect();
        people.into_iter().map(|number| self.person(number))
    }

    /// Returns the current number of followers.
    pub fn follower_count(&self) -> u64 {
        self.inner().state().population.count()
    }

    /// Returns a person's data in this account, whether or not they follow.
    pub fn person(&self, number: u64) -> Person {
        let (inner, state) = (self.inner(), self.inner().state());
        Person {
            number,
            openid: inner.openids.encode(number).to_string(),
            unionid: state.unionid(number).map(|unionid| unionid.to_string()),
        }
    }

    /// Returns the person with this openid, or `None` if it is not an openid of this account.
    pub fn find(&self, openid: &str) -> Option<Person> {
        self.inner().openids.decode(openid).map(|number| self.person(number))
    }

    /// Whether the person with this openid currently follows.
    pub fn is_follower(&self, openid: &str) -> bool {
        let person = self.inner().openids.decode(openid);
        person.is_some_and(|person| self.inner().state().population.follows(person))
    }

    /// Returns the true unionid of the person with this openid.
    pub fn unionid_of(&self, openid: &str) -> Option<String> {
        self.find(openid)?.unionid
    }

    /// Makes followers leave, such as `leave(0..50)` or `leave([7, 9])`. Returns how many left.
    pub fn leave(&self, people: impl IntoIterator<Item = u64>) -> u64 {
        push::leave(&self.world, self.inner(), collected(people))
    }

    /// Makes this many pseudo-randomly chosen followers leave. Returns how many left.
    pub fn leave_any(&self, count: u64) -> u64 {
        push::leave_any(&self.world, self.inner(), count)
    }

    /// Makes new people follow. Returns their numbers.
    pub fn join(&self, count: u64) -> Range<u64> {
        push::join(&self.world, self.inner(), count)
    }

    /// Makes people who left follow again. Returns how many returned.
    pub fn rejoin(&self, people: impl IntoIterator<Item = u64>) -> u64 {
        push::rejoin(&self.world, self.inner(), collected(people))
    }

    /// Gives people a quirk.
    pub fn quirk(&self, people: impl IntoIterator<Item = u64>, quirk: Quirk) {
        let people = collected(people);
        self.inner().change(|state| {
            people.into_iter().for_each(|person| state.population.add_quirk(person, quirk));
        });
    }

    /// Removes all quirks of people.
    pub fn clear_quirks(&self, people: impl IntoIterator<Item = u64>) {
        let people = collected(people);
        self.inner().change(|state| {
            people.into_iter().for_each(|person| state.population.clear_quirks(person));
        });
    }

    /// Gives people [`Quirk::NoUnionid`].
    pub fn without_unionid(&self, people: impl IntoIterator<Item = u64>) {
        self.quirk(people, Quirk::NoUnionid);
    }

    /// Binds only this account to another Open Platform account: all its unionids change, and no other
    /// account shares them.
    pub fn rebind(&self) {
        self.world.rebind([self.inner()].into_iter());
    }

    /// Unbinds the account from the Open Platform account: nobody has a unionid in it any longer.
    pub fn unbind(&self) {
        self.inner().change(|state| state.unionids = None);
    }

    fn switch(&self, change: impl FnOnce(&mut Switches)) {
        self.inner().change(|state| change(&mut state.switches));
    }

    /// Sets how the followers change after each page of `user/get`.
    pub fn set_drift(&self, drift: Drift) {
        self.switch(|switches| switches.drift = drift);
    }

    /// Sets the `total` of `user/get`; `None` is the true number.
    pub fn misreport_total(&self, total: Option<u64>) {
        self.switch(|switches| switches.total = total);
    }

    /// Sets how the follower list ends.
    pub fn set_last_page(&self, last_page: LastPage) {
        self.switch(|switches| switches.last_page = last_page);
    }

    /// Sets whether a cursor whose person has left is refused with 40003.
    pub fn refuse_departed_cursors(&self, refuse: bool) {
        self.switch(|switches| switches.refuse_departed_cursors = refuse);
    }

    /// Sets whether every call is refused with 48001.
    pub fn set_unauthorized(&self, unauthorized: bool) {
        self.switch(|switches| switches.unauthorized = unauthorized);
    }

    /// Sets whether calls for a token are refused with 40164. The message contains the caller's address.
    pub fn refuse_address(&self, refuse: bool) {
        self.switch(|switches| switches.address_refused = refuse);
    }

    /// Invalidates all access tokens of the account: calls fail with 40001 until a new token is issued.
    pub fn invalidate_tokens(&self) {
        self.world.tokens.invalidate(self.number);
    }

    /// Limits a call to this many per day; `None` removes the limit.
    pub fn set_quota(&self, call: Call, limit: Option<u64>) {
        self.world.usage[self.number].quotas.set_limit(call, limit);
    }

    /// Resets the daily quotas of this account.
    pub fn reset_quotas(&self) {
        self.world.usage[self.number].quotas.reset();
    }

    /// Returns the counters of this account.
    pub fn stats(&self) -> Stats {
        self.world.usage[self.number].counters.stats()
    }

    /// Issues a login code of this Mini Program for a person. It is valid for five minutes and one use.
    pub fn mint_code(&self, person: u64) -> String {
        self.world.codes.mint(self.number, person, self.world.now())
    }

    /// Returns the `session_key` of the person's logins: 16 bytes in base64.
    pub fn session_key(&self, person: u64) -> String {
        STANDARD.encode(session_key(self.inner(), person))
    }

    /// Returns a person's `encryptedData` and `iv` as a page of this Mini Program receives them, in base64.
    ///
    /// `encrypted_user_data(3)` returns valid data of person 3; pass a [`UserData`] for invalid data.
    pub fn encrypted_user_data(&self, data: impl Into<UserData>) -> (String, String) {
        encrypted_user_data(&self.world, self.inner(), &data.into())
    }
}

/// Runs the caller's iterator before the account is locked for a change: the iterator may read this
/// account, which would deadlock.
fn collected(people: impl IntoIterator<Item = u64>) -> Vec<u64> {
    people.into_iter().collect()
}
