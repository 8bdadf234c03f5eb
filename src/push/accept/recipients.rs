//! Finds the recipients' openids in the sending account.
//!
//! A user given by an openid of the sending account itself is accepted even if unknown here: WeChat
//! decides. Only users known to have unfollowed are refused at once.

use std::collections::HashMap;

use crate::model::{AppId, Channel, OpenId, UnionId};
use crate::push::error::{Error, Refusal};
use crate::push::{Push, Sender};
use crate::resolve::{Resolution, User};
use crate::store::identities::{self, Source};
use crate::store::{self, followers, mini_program_users};

/// A user in the sending account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) openid: OpenId,
    pub(super) unionid: Option<UnionId>,
}

/// What is known of a user across accounts.
enum Identity {
    /// The unionid is known.
    Unionid(UnionId),
    /// The user was seen in the account of the openid, and has no unionid.
    WithoutUnionid,
    /// The user was never seen.
    NeverSeen,
}

impl Identity {
    fn unionid(&self) -> Option<&UnionId> {
        match self {
            Self::Unionid(unionid) => Some(unionid),
            Self::WithoutUnionid | Self::NeverSeen => None,
        }
    }
}

/// The result for each user, in request order.
pub(super) type Found = Vec<Result<Reached, Refusal>>;

impl Push {
    /// Finds these users in the sender's account.
    pub(super) async fn reach(&self, sender: &Sender, users: &[&User]) -> Result<Found, Error> {
        let appid = sender.wechat.appid();
        match sender.channel {
            Channel::Template => self.reach_followers(appid, users).await,
            Channel::Subscribe => Ok(store::in_time(self.reach_users(appid, users)).await?),
        }
    }

    async fn reach_followers(&self, target: &AppId, users: &[&User]) -> Result<Found, Error> {
        let (direct, foreign): (Vec<_>, Vec<_>) =
            users.iter().copied().partition(|user| own_openid(user, target).is_some());
        let direct: Vec<_> = direct.iter().filter_map(|user| own_openid(user, target)).collect();
        let known = store::in_time(self.known_followers(target, &direct)).await?;
        let foreign: Vec<User> = foreign.into_iter().cloned().collect();
        let mut resolved = match foreign.is_empty() {
            true => Vec::new(),
            false => self.resolver.resolve_all(&foreign, Some(target)).await?,
        }
        .into_iter();
        let found = users.iter().filter_map(|user| match own_openid(user, target) {
            Some(openid) => {
                Some(known.get(openid).cloned().unwrap_or_else(|| without_unionid(openid)))
            }
            None => resolved.next().map(reached_follower),
        });
        Ok(found.collect())
    }

    /// Returns what the follower mirror contains about these openids.
    async fn known_followers(
        &self,
        target: &AppId,
        openids: &[&OpenId],
    ) -> Result<HashMap<OpenId, Result<Reached, Refusal>>, store::Error> {
        if openids.is_empty() {
            return Ok(HashMap::new());
        }
        let account = self.accounts.account_id(&self.store, target).await?;
        let openids: Vec<OpenId> = openids.iter().map(|openid| (*openid).clone()).collect();
        let known = followers::list_by_openids(self.store.reader(), account, &openids).await?;
        let results = known.into_iter().map(|known| {
            let reached = Reached { openid: known.openid.clone(), unionid: known.unionid };
            let left = Refusal::Unreachable(Resolution::Unfollowed);
            (known.openid, if known.subscribed { Ok(reached) } else { Err(left) })
        });
        Ok(results.collect())
    }

    /// Finds these users in a Mini Program.
    async fn reach_users(&self, target: &AppId, users: &[&User]) -> Result<Found, store::Error> {
        let identities = self.identities_of(users, target).await?;
        let account = self.accounts.account_id(&self.store, target).await?;
        let unionids: Vec<&UnionId> = identities.iter().filter_map(Identity::unionid).collect();
        let known =
            mini_program_users::list_by_unionids(self.store.reader(), account, &unionids).await?;
        let found = users.iter().zip(&identities).map(|(user, identity)| {
            let unionid = identity.unionid().cloned();
            let reached = |openid: &OpenId| Reached { openid: openid.clone(), unionid };
            match (own_openid(user, target), identity) {
                (Some(openid), _) => Ok(reached(openid)),
                (None, Identity::Unionid(unionid)) => {
                    known.get(unionid).map(reached).ok_or(Refusal::NotAUser)
                }
                (None, Identity::WithoutUnionid) => {
                    Err(Refusal::Unreachable(Resolution::NoUnionid))
                }
                (None, Identity::NeverSeen) => Err(Refusal::Unreachable(Resolution::UserUnknown)),
            }
        });
        Ok(found.collect())
    }

    /// Looks up the unionid of each user.
    async fn identities_of(
        &self,
        users: &[&User],
        target: &AppId,
    ) -> Result<Vec<Identity>, store::Error> {
        let mut by_account: HashMap<&AppId, Vec<&OpenId>> = HashMap::new();
        for user in users {
            if let User::OpenId { appid, openid } = user {
                by_account.entry(appid).or_default().push(openid);
            }
        }
        let target_account = self.accounts.account_id(&self.store, target).await?;
        let mut links = HashMap::new();
        for (appid, openids) in by_account {
            let Some(source) = self.source(appid) else { continue };
            let account = self.accounts.account_id(&self.store, appid).await?;
            let reader = self.store.reader();
            let found = identities::list(reader, source, account, &openids, target_account).await?;
            links.insert(appid, found);
        }
        let identity = |user: &&User| match user {
            User::Unionid(unionid) => Identity::Unionid(unionid.clone()),
            User::OpenId { appid, openid } => {
                match links.get(appid).and_then(|found| found.get(openid)) {
                    Some(link) => {
                        link.unionid.clone().map_or(Identity::WithoutUnionid, Identity::Unionid)
                    }
                    None => Identity::NeverSeen,
                }
            }
        };
        Ok(users.iter().map(identity).collect())
    }

    fn source(&self, appid: &AppId) -> Option<Source> {
        Some(match self.senders.get(appid)?.channel {
            Channel::Template => Source::OfficialAccount,
            Channel::Subscribe => Source::MiniProgram,
        })
    }
}

/// The user's openid, if it is one of the target account itself.
fn own_openid<'a>(user: &'a User, target: &AppId) -> Option<&'a OpenId> {
    match user {
        User::OpenId { appid, openid } if appid == target => Some(openid),
        _ => None,
    }
}

fn without_unionid(openid: &OpenId) -> Result<Reached, Refusal> {
    Ok(Reached { openid: openid.clone(), unionid: None })
}

fn reached_follower(resolution: Resolution) -> Result<Reached, Refusal> {
    match resolution {
        Resolution::Resolved { openid, unionid, .. } => {
            Ok(Reached { openid, unionid: Some(unionid) })
        }
        unreachable => Err(Refusal::Unreachable(unreachable)),
    }
}
