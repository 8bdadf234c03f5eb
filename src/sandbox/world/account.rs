//! One account of the world: who it is, who follows, what its operator has set.
//!
//! A call works on a snapshot, so a long page holds no lock; a change makes a copy only while
//! somebody still reads the old one.

use std::sync::{Arc, RwLock};

use super::ids::{Id, Ids};
use super::population::Population;
use crate::sandbox::chance::derive;
use crate::sandbox::fault::Quirk;
use crate::sandbox::locks::{read, write};
use crate::sandbox::options::LastPage;
use crate::sandbox::push::Callback;

/// What kind of account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Official,
    MiniProgram,
}

/// How the followers change while they are listed: after each page of `user/get`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drift {
    /// That many leave, listed already or not.
    pub leave: u64,
    /// That many new ones come, some of them in the part already listed.
    pub join: u64,
    /// The page's last person, whose openid is the cursor, leaves.
    pub cursor_leaves: bool,
}

/// What an operator or the vendor can set for an account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Switches {
    pub(crate) last_page: LastPage,
    pub(crate) drift: Drift,
    /// What `total` says instead of the truth.
    pub(crate) total: Option<u64>,
    /// A cursor whose person has left is answered with 40003.
    pub(crate) refuse_departed_cursors: bool,
    /// Every call is answered with 48001.
    pub(crate) unauthorized: bool,
    /// Every call for a token is answered with 40164.
    pub(crate) address_refused: bool,
}

/// Everything about an account that changes.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) population: Population,
    /// The unionids of the Open Platform account it is bound to.
    pub(crate) unionids: Option<Ids>,
    pub(crate) switches: Switches,
    /// Where its events are pushed.
    pub(crate) callback: Option<Callback>,
}

impl State {
    /// The unionid the vendor holds for the person, whether or not a call leaves it out.
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
    /// Its place among the accounts of the world.
    pub(crate) number: usize,
    pub(crate) kind: Kind,
    pub(crate) appid: String,
    pub(crate) secret: String,
    /// `gh_` and 12 hex digits, by which pushes name it.
    pub(crate) original_id: String,
    /// Who speaks in pushes about personal data: nobody's openid.
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

    /// The account as it is now, and stays for whoever holds it.
    pub(crate) fn state(&self) -> Arc<State> {
        read(&self.state).clone()
    }

    /// Changes the account for everybody who asks from now on.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(Arc::make_mut(&mut write(&self.state)))
    }
}
