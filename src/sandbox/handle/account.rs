//! One account of the sandbox as its owner holds it: the truth about it, and ways to change it.

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

/// A follower, truly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The person's number, the same in every account.
    pub number: u64,
    /// The person in this account.
    pub openid: String,
    /// The person across accounts; absent where the vendor has none, present where a call only
    /// leaves it out.
    pub unionid: Option<String>,
}

/// An Official Account or a Mini Program of the sandbox. Clones share it.
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

    /// Its AppID.
    pub fn appid(&self) -> &str {
        &self.inner().appid
    }

    /// Its AppSecret.
    pub fn secret(&self) -> &str {
        &self.inner().secret
    }

    /// Who follows now, in the order in which they are listed.
    pub fn followers(&self) -> impl Iterator<Item = Person> {
        let state = self.inner().state();
        let people: Vec<u64> = state.population.after(None).collect();
        people.into_iter().map(|number| self.person(number))
    }

    /// How many follow now.
    pub fn follower_count(&self) -> u64 {
        self.inner().state().population.count()
    }

    /// A person as this account knows them, whether or not they follow.
    pub fn person(&self, number: u64) -> Person {
        let (inner, state) = (self.inner(), self.inner().state());
        Person {
            number,
            openid: inner.openids.encode(number).to_string(),
            unionid: state.unionid(number).map(|unionid| unionid.to_string()),
        }
    }

    /// The person with that openid; `None` where it is not one of this account's.
    pub fn find(&self, openid: &str) -> Option<Person> {
        self.inner().openids.decode(openid).map(|number| self.person(number))
    }

    /// Whether the person with that openid follows now.
    pub fn is_follower(&self, openid: &str) -> bool {
        let person = self.inner().openids.decode(openid);
        person.is_some_and(|person| self.inner().state().population.follows(person))
    }

    /// The true unionid behind an openid.
    pub fn unionid_of(&self, openid: &str) -> Option<String> {
        self.find(openid)?.unionid
    }

    /// Followers leave: `leave(0..50)`, `leave([7, 9])`. Tells how many did.
    pub fn leave(&self, people: impl IntoIterator<Item = u64>) -> u64 {
        push::leave(&self.world, self.inner(), collected(people))
    }

    /// That many followers leave, as chance has it.
    pub fn leave_any(&self, count: u64) -> u64 {
        push::leave_any(&self.world, self.inner(), count)
    }

    /// People who never followed before begin to. Tells their numbers.
    pub fn join(&self, count: u64) -> Range<u64> {
        push::join(&self.world, self.inner(), count)
    }

    /// People who left follow again. Tells how many did.
    pub fn rejoin(&self, people: impl IntoIterator<Item = u64>) -> u64 {
        push::rejoin(&self.world, self.inner(), collected(people))
    }

    /// Makes people odd.
    pub fn quirk(&self, people: impl IntoIterator<Item = u64>, quirk: Quirk) {
        let people = collected(people);
        self.inner().change(|state| {
            people.into_iter().for_each(|person| state.population.add_quirk(person, quirk));
        });
    }

    /// Makes people plain again.
    pub fn clear_quirks(&self, people: impl IntoIterator<Item = u64>) {
        let people = collected(people);
        self.inner().change(|state| {
            people.into_iter().for_each(|person| state.population.clear_quirks(person));
        });
    }

    /// People whose profiles carry no unionid.
    pub fn without_unionid(&self, people: impl IntoIterator<Item = u64>) {
        self.quirk(people, Quirk::NoUnionid);
    }

    /// Binds this account alone to another Open Platform account: its unionids change, and no other
    /// account has them.
    pub fn rebind(&self) {
        self.world.rebind([self.inner()].into_iter());
    }

    /// Takes the binding away: nobody has a unionid here.
    pub fn unbind(&self) {
        self.inner().change(|state| state.unionids = None);
    }

    fn switch(&self, change: impl FnOnce(&mut Switches)) {
        self.inner().change(|state| change(&mut state.switches));
    }

    /// Followers come and go with every page of `user/get`.
    pub fn set_drift(&self, drift: Drift) {
        self.switch(|switches| switches.drift = drift);
    }

    /// What `total` claims; `None` for the truth.
    pub fn misreport_total(&self, total: Option<u64>) {
        self.switch(|switches| switches.total = total);
    }

    /// How the follower list ends.
    pub fn set_last_page(&self, last_page: LastPage) {
        self.switch(|switches| switches.last_page = last_page);
    }

    /// Whether a cursor whose person has left is refused with 40003.
    pub fn refuse_departed_cursors(&self, refuse: bool) {
        self.switch(|switches| switches.refuse_departed_cursors = refuse);
    }

    /// Whether every call is refused with 48001.
    pub fn set_unauthorized(&self, unauthorized: bool) {
        self.switch(|switches| switches.unauthorized = unauthorized);
    }

    /// Whether a call for a token is refused with 40164, the caller's address in its message.
    pub fn refuse_address(&self, refuse: bool) {
        self.switch(|switches| switches.address_refused = refuse);
    }

    /// Ends every token of the account now: 40001 until a new one is asked for.
    pub fn invalidate_tokens(&self) {
        self.world.tokens.invalidate(self.number);
    }

    /// Limits a call to that many a day; `None` for no limit.
    pub fn set_quota(&self, call: Call, limit: Option<u64>) {
        self.world.desks[self.number].quotas.limit(call, limit);
    }

    /// Starts this account's daily quotas again.
    pub fn reset_quotas(&self) {
        self.world.desks[self.number].quotas.reset();
    }

    /// What was asked for this account.
    pub fn stats(&self) -> Stats {
        self.world.desks[self.number].counters.stats()
    }

    /// A login code of this Mini Program for a person, good for five minutes and one use.
    pub fn mint_code(&self, person: u64) -> String {
        self.world.codes.mint(self.number, person, self.world.now())
    }

    /// The session key that a login of the person gives: 16 bytes in base64.
    pub fn session_key(&self, person: u64) -> String {
        STANDARD.encode(session_key(self.inner(), person))
    }

    /// What a page of this Mini Program gets of a person: `encryptedData` and `iv`, in base64.
    ///
    /// `encrypted_user_data(3)` is as it should be; [`UserData`] has it otherwise.
    pub fn encrypted_user_data(&self, data: impl Into<UserData>) -> (String, String) {
        encrypted_user_data(&self.world, self.inner(), &data.into())
    }
}

/// Runs the caller's iterator now: it may ask this account, which waits while it is being changed.
fn collected(people: impl IntoIterator<Item = u64>) -> Vec<u64> {
    people.into_iter().collect()
}
