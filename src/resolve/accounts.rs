//! The configured accounts, and their numbers in the database once they are known.

use std::collections::HashMap;

use tokio::sync::OnceCell;

use crate::model::{AccountKind, AppId, UnclearAccount};
use crate::store::identities::Source;
use crate::store::{self, AccountId, Store, accounts};

/// The configured accounts.
#[derive(Debug, Default)]
pub struct Accounts {
    official: Vec<AppId>,
    programs: Vec<AppId>,
    entries: HashMap<AppId, Entry>,
}

#[derive(Debug)]
struct Entry {
    source: Source,
    /// Numbers do not change, so each is asked for once.
    number: OnceCell<AccountId>,
}

impl Accounts {
    /// These Official Accounts and Mini Programs.
    pub fn new(
        official: impl IntoIterator<Item = AppId>,
        programs: impl IntoIterator<Item = AppId>,
    ) -> Self {
        let official: Vec<AppId> = official.into_iter().collect();
        let programs: Vec<AppId> = programs.into_iter().collect();
        let mut entries = HashMap::new();
        for (appids, source) in
            [(&official, Source::OfficialAccount), (&programs, Source::MiniProgram)]
        {
            for appid in appids {
                entries.insert(appid.clone(), Entry { source, number: OnceCell::new() });
            }
        }
        Self { official, programs, entries }
    }

    /// Those of a kind, in the order configured.
    pub fn of(&self, kind: AccountKind) -> impl Iterator<Item = &AppId> + Clone {
        let (official, programs) = match kind {
            AccountKind::OfficialAccount => (&self.official[..], &[][..]),
            AccountKind::MiniProgram => (&[][..], &self.programs[..]),
            AccountKind::Any => (&self.official[..], &self.programs[..]),
        };
        official.iter().chain(programs)
    }

    /// The account of a kind that is meant: the one named, or the only one there is. `parameter` is where
    /// the caller names it.
    pub fn choose(
        &self,
        kind: AccountKind,
        named: Option<&AppId>,
        parameter: &'static str,
    ) -> Result<&AppId, UnclearAccount> {
        kind.choose(self.of(kind), named, parameter)
    }

    /// The refusal of an account that is not configured, or is of another kind.
    pub fn unknown(&self, kind: AccountKind, named: &AppId) -> UnclearAccount {
        kind.unknown(self.of(kind), named)
    }

    /// The Official Account that is asked about.
    pub(super) fn target(&self, asked: Option<&AppId>) -> Result<&AppId, UnclearAccount> {
        self.choose(AccountKind::OfficialAccount, asked, "to")
    }

    /// The account that an openid is of.
    pub(super) fn source(&self, asked: &AppId) -> Result<(Source, &AppId), UnclearAccount> {
        match self.entries.get_key_value(asked) {
            Some((appid, entry)) => Ok((entry.source, appid)),
            None => Err(self.unknown(AccountKind::Any, asked)),
        }
    }

    /// The account's number in the database.
    pub async fn number(&self, store: &Store, appid: &AppId) -> Result<AccountId, store::Error> {
        let find = || accounts::find_or_insert(store, appid);
        match self.entries.get(appid) {
            Some(entry) => entry.number.get_or_try_init(find).await.copied(),
            None => find().await,
        }
    }

    /// The configured accounts by their numbers.
    pub async fn by_number(
        &self,
        store: &Store,
    ) -> Result<HashMap<AccountId, &AppId>, store::Error> {
        let mut by_number = HashMap::with_capacity(self.entries.len());
        for appid in self.entries.keys() {
            by_number.insert(self.number(store, appid).await?, appid);
        }
        Ok(by_number)
    }
}
