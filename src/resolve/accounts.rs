//! The configured accounts, and their ids in the database once they are known.

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
    /// Account ids do not change, so each is read once.
    account_id: OnceCell<AccountId>,
}

impl Accounts {
    /// Creates the set of these Official Accounts and Mini Programs.
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
                entries.insert(appid.clone(), Entry { source, account_id: OnceCell::new() });
            }
        }
        Self { official, programs, entries }
    }

    /// The accounts of a kind, in configuration order.
    pub fn of(&self, kind: AccountKind) -> impl Iterator<Item = &AppId> + Clone {
        let (official, programs) = match kind {
            AccountKind::OfficialAccount => (&self.official[..], &[][..]),
            AccountKind::MiniProgram => (&[][..], &self.programs[..]),
            AccountKind::Any => (&self.official[..], &self.programs[..]),
        };
        official.iter().chain(programs)
    }

    /// Chooses the requested account of a kind, or the only one. `parameter` is the name of the
    /// caller's parameter.
    pub fn choose(
        &self,
        kind: AccountKind,
        requested: Option<&AppId>,
        parameter: &'static str,
    ) -> Result<&AppId, UnclearAccount> {
        kind.choose(self.of(kind), requested, parameter)
    }

    /// The error for an account that is not configured or is of another kind.
    pub fn unknown(&self, kind: AccountKind, requested: &AppId) -> UnclearAccount {
        kind.unknown(self.of(kind), requested)
    }

    /// The target Official Account of a lookup.
    pub(super) fn target(&self, requested: Option<&AppId>) -> Result<&AppId, UnclearAccount> {
        self.choose(AccountKind::OfficialAccount, requested, "to")
    }

    /// The configured account of an openid, and its kind.
    pub(super) fn source(&self, requested: &AppId) -> Result<(Source, &AppId), UnclearAccount> {
        match self.entries.get_key_value(requested) {
            Some((appid, entry)) => Ok((entry.source, appid)),
            None => Err(self.unknown(AccountKind::Any, requested)),
        }
    }

    /// The account's id in the database.
    pub async fn account_id(
        &self,
        store: &Store,
        appid: &AppId,
    ) -> Result<AccountId, store::Error> {
        let find = || accounts::find_or_insert(store, appid);
        match self.entries.get(appid) {
            Some(entry) => entry.account_id.get_or_try_init(find).await.copied(),
            None => find().await,
        }
    }

    /// The configured accounts by their ids in the database.
    pub async fn by_account_id(
        &self,
        store: &Store,
    ) -> Result<HashMap<AccountId, &AppId>, store::Error> {
        let mut by_account_id = HashMap::with_capacity(self.entries.len());
        for appid in self.entries.keys() {
            by_account_id.insert(self.account_id(store, appid).await?, appid);
        }
        Ok(by_account_id)
    }
}
