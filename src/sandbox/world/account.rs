//! One account of the world: its identity, its followers and its settings.
//!
//! A call works on a snapshot of the state and so holds no lock. A change copies the state only while a
//! call still holds an older snapshot.

use std::sync::{Arc, RwLock};

use super::ids::{Id, Ids};
use super::population::Population;
use crate::sandbox::fault::Quirk;
use crate::sandbox::locks::{read, write};
use crate::sandbox::options::LastPage;
use crate::sandbox::push::Callback;
use crate::sandbox::random::derive;

/// The kind of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Official,
    MiniProgram,
}

/// How the followers change after each page of `user/get`, to test listing during changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drift {
    /// How many leave, whether already listed or not.
    pub leave: u64,
    /// How many join. Some of them appear in the part of the list that was already read.
    pub join: u64,
    /// Whether the last person of the page, whose openid is the cursor, leaves.
    pub cursor_leaves: bool,
}

/// Settings that change how the account's calls are answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Switches {
    pub(crate) last_page: LastPage,
    pub(crate) drift: Drift,
    /// The value of `total` in place of the true number.
    pub(crate) total: Option<u64>,
    /// Whether a cursor whose person has left is refused with 40003.
    pub(crate) refuse_departed_cursors: bool,
    /// Whether every call is refused with 48001.
    pub(crate) unauthorized: bool,
    /// Whether every call for a token is refused with 40164.
    pub(crate) address_refused: bool,
}

/// The parts of an account that change.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) population: Population,
    /// The unionids of the Open Platform account that the account is bound to.
    pub(crate) unionids: Option<Ids>,
    pub(crate) switches: Switches,
    /// Where the account's events are pushed.
    pub(crate) callback: Option<Callback>,
}

impl State {
    /// Returns the person's true unionid, even if some calls omit it.
    pub(crate) fn unionid(&self, person: u64) -> Option<Id> {
        let mut person = person;
        for quirk in self.population.quirks(person) {
            match quirk {
                Quirk::NoUnionid => return None,
                Quirk::UnionidOf(other) => person = *other,
                _ => {}
            }
        }
        Some(self.unionids.as_ref()?.encode(person))
    }
}

/// An Official Account or a Mini Program.
#[derive(Debug)]
pub(crate) struct Account {
    /// The index of the account in [`World::accounts`](super::World).
    pub(crate) number: usize,
    pub(crate) kind: Kind,
    pub(crate) appid: String,
    pub(crate) secret: String,
    /// `gh_` and 12 hex digits. Pushes identify the account by it.
    pub(crate) original_id: String,
    /// The sender (`FromUserName`) of pushes about personal data. It belongs to no person.
    pub(crate) platform_id: String,
    pub(crate) openids: Ids,
    state: RwLock<Arc<State>>,
}

impl Account {
    pub(crate) fn new(
        number: usize,
        kind: Kind,
        (appid, secret): (&str, &str),
        seed: u64,
        state: State,
    ) -> Self {
        Self {
            number,
            kind,
            appid: appid.to_owned(),
            secret: secret.to_owned(),
            original_id: format!("gh_{:012x}", derive(seed ^ 0x9, appid) >> 16),
            platform_id: Ids::new(seed, "push platform").encode(0).to_string(),
            openids: Ids::new(seed, appid),
            state: RwLock::new(Arc::new(state)),
        }
    }

    /// Returns a snapshot of the current state.
    pub(crate) fn state(&self) -> Arc<State> {
        read(&self.state).clone()
    }

    /// Changes the state. Existing snapshots keep the old state.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(Arc::make_mut(&mut write(&self.state)))
    }
}
