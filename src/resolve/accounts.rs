//! The configured accounts, and their numbers in the database once they are known.

use std::collections::HashMap;

use tokio::sync::OnceCell;

use super::Error;
use crate::model::AppId;
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

    /// The Official Accounts, in the order configured.
    pub fn official(&self) -> &[AppId] {
        &self.official
    }

    /// The Mini Programs, in the order configured.
    pub fn programs(&self) -> &[AppId] {
        &self.programs
    }

    /// The Official Account that is asked about.
    pub(super) fn target<'a>(&'a self, asked: Option<&AppId>) -> Result<&'a AppId, Error> {
        match asked {
            None => match self.official.as_slice() {
                [only] => Ok(only),
                several => Err(Error::TargetNeeded { known: several.to_vec() }),
            },
            Some(asked) => self.official.iter().find(|appid| *appid == asked).ok_or_else(|| {
                Error::UnknownOfficialAccount { appid: asked.clone(), known: self.official.clone() }
            }),
        }
    }

    /// The account that an openid is of.
    pub(super) fn source(&self, asked: &AppId) -> Result<(Source, &AppId), Error> {
        match self.entries.get_key_value(asked) {
            Some((appid, entry)) => Ok((entry.source, appid)),
            None => {
                let known = self.programs.iter().chain(&self.official).cloned().collect();
                Err(Error::UnknownAccount { appid: asked.clone(), known })
            }
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
