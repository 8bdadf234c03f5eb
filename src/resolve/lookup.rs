//! Looks up thousands of users at once, with one statement per account of the given openids, and
//! one or two for unionids.
//!
//! Single lookups use this too, in batches ([`batch`](super::batch)).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Accounts, Error, Resolution, User};
use crate::model::{AppId, OpenId, UnionId};
use crate::store::identities::{self, Follow, Link};
use crate::store::{self, Store};

/// Looks up users in the database.
#[derive(Clone)]
pub(super) struct Lookups {
    pub(super) store: Store,
    pub(super) accounts: Arc<Accounts>,
}

/// The follows of some unionids in one Official Account.
struct Follows {
    follows: HashMap<UnionId, Follow>,
    /// Known unionids without a follow in that account.
    known: HashSet<UnionId>,
}

impl Follows {
    fn resolution(&self, unionid: &UnionId, target: &AppId) -> Resolution {
        match self.follows.get(unionid) {
            None if !self.known.contains(unionid) => Resolution::UserUnknown,
            follow => Resolution::of_follow(target, unionid.clone(), follow.cloned()),
        }
    }
}

impl Lookups {
    /// Resolves many users in the Official Account `to`, in request order.
    pub(super) async fn resolve_all(
        &self,
        users: &[User],
        to: Option<&AppId>,
    ) -> Result<Vec<Resolution>, Error> {
        let target = self.accounts.target(to)?;
        let mut openids: HashMap<&AppId, Vec<&OpenId>> = HashMap::new();
        let mut unionids = Vec::new();
        for user in users {
            match user {
                User::Unionid(unionid) => unionids.push(unionid),
                User::OpenId { appid, openid } => {
                    let (_, appid) = self.accounts.source(appid)?;
                    openids.entry(appid).or_default().push(openid);
                }
            }
        }
        let look_up = async {
            let mut links = HashMap::with_capacity(openids.len());
            for (appid, openids) in openids {
                links.insert(appid, self.links_of(appid, &openids, target).await?);
            }
            Ok((links, self.follows_of(&unionids, target).await?))
        };
        let (links, follows) = store::in_time(look_up).await?;
        let resolution = |user: &User| match user {
            User::Unionid(unionid) => follows.resolution(unionid, target),
            User::OpenId { appid, openid } => {
                let link = links.get(appid).and_then(|links| links.get(openid));
                Resolution::of_link(target, link.cloned())
            }
        };
        Ok(users.iter().map(resolution).collect())
    }

    async fn links_of(
        &self,
        appid: &AppId,
        openids: &[&OpenId],
        target: &AppId,
    ) -> Result<HashMap<OpenId, Link>, store::Error> {
        let Ok((source, _)) = self.accounts.source(appid) else { return Ok(HashMap::new()) };
        let account = self.accounts.account_id(&self.store, appid).await?;
        let target = self.accounts.account_id(&self.store, target).await?;
        identities::list(self.store.reader(), source, account, openids, target).await
    }

    async fn follows_of(
        &self,
        unionids: &[&UnionId],
        target: &AppId,
    ) -> Result<Follows, store::Error> {
        let reader = self.store.reader();
        let account = self.accounts.account_id(&self.store, target).await?;
        let follows = identities::list_by_unionids(reader, unionids, account).await?;
        let without_follow: Vec<_> =
            unionids.iter().filter(|unionid| !follows.contains_key(**unionid)).copied().collect();
        let known = identities::list_known_unionids(reader, &without_follow).await?;
        Ok(Follows { follows, known })
    }
}
