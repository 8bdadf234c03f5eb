//! Where people are reached: their openid in the account that sends.
//!
//! Who is named by an openid of that very account is reached by it, known here or not: WeChat judges that.
//! Only somebody known to have left is told apart at once.

use std::collections::HashMap;

use crate::model::{AppId, Channel, OpenId, UnionId};
use crate::push::error::{Error, Refusal};
use crate::push::{Push, Sender};
use crate::resolve::{Resolution, User};
use crate::store::identities::{self, Source};
use crate::store::{self, followers, mini_program_users};

/// A person in the account that sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) openid: OpenId,
    pub(super) unionid: Option<UnionId>,
}

/// How far a person is known across accounts.
enum Known {
    /// By this unionid.
    As(UnionId),
    /// Seen in the account of their openid, and nowhere else.
    Nowhere,
    /// Never seen.
    Not,
}

impl Known {
    fn unionid(&self) -> Option<&UnionId> {
        match self {
            Self::As(unionid) => Some(unionid),
            Self::Nowhere | Self::Not => None,
        }
    }
}

/// What was found of each person asked about, in that order.
pub(super) type Found = Vec<Result<Reached, Refusal>>;

impl Push {
    /// Where each of these people is reached in the sender's account.
    pub(super) async fn reach(&self, sender: &Sender, users: &[&User]) -> Result<Found, Error> {
        let appid = sender.wechat.appid();
        match sender.channel {
            Channel::Template => self.reach_followers(appid, users).await,
            Channel::Subscribe => Ok(store::in_time(self.reach_users(appid, users)).await?),
        }
    }

    async fn reach_followers(&self, target: &AppId, users: &[&User]) -> Result<Found, Error> {
        let (direct, others): (Vec<_>, Vec<_>) =
            users.iter().copied().partition(|user| own(user, target).is_some());
        let direct: Vec<_> = direct.iter().filter_map(|user| own(user, target)).collect();
        let known = store::in_time(self.known_followers(target, &direct)).await?;
        let others: Vec<User> = others.into_iter().cloned().collect();
        let mut resolved = match others.is_empty() {
            true => Vec::new(),
            false => self.resolver.resolve_all(&others, Some(target)).await?,
        }
        .into_iter();
        let found = users.iter().filter_map(|user| match own(user, target) {
            Some(openid) => Some(known.get(openid).cloned().unwrap_or_else(|| unseen(openid))),
            None => resolved.next().map(followed),
        });
        Ok(found.collect())
    }

    /// What the mirror says of followers of the account.
    async fn known_followers(
        &self,
        target: &AppId,
        openids: &[&OpenId],
    ) -> Result<HashMap<OpenId, Result<Reached, Refusal>>, store::Error> {
        if openids.is_empty() {
            return Ok(HashMap::new());
        }
        let number = self.accounts.number(&self.store, target).await?;
        let openids: Vec<OpenId> = openids.iter().map(|openid| (*openid).clone()).collect();
        let known = followers::list_by_openids(self.store.reader(), number, &openids).await?;
        let told = known.into_iter().map(|known| {
            let reached = Reached { openid: known.openid.clone(), unionid: known.unionid };
            let left = Refusal::Unreachable(Resolution::Unfollowed);
            (known.openid, if known.subscribed { Ok(reached) } else { Err(left) })
        });
        Ok(told.collect())
    }

    /// Where these people are reached in a Mini Program.
    async fn reach_users(&self, target: &AppId, users: &[&User]) -> Result<Found, store::Error> {
        let people = self.people(users, target).await?;
        let number = self.accounts.number(&self.store, target).await?;
        let wanted: Vec<&UnionId> = people.iter().filter_map(Known::unionid).collect();
        let known =
            mini_program_users::list_by_unionids(self.store.reader(), number, &wanted).await?;
        let found = users.iter().zip(&people).map(|(user, person)| {
            let unionid = person.unionid().cloned();
            let reached = |openid: &OpenId| Reached { openid: openid.clone(), unionid };
            match (own(user, target), person) {
                (Some(openid), _) => Ok(reached(openid)),
                (None, Known::As(unionid)) => {
                    known.get(unionid).map(reached).ok_or(Refusal::NotAUser)
                }
                (None, Known::Nowhere) => Err(Refusal::Unreachable(Resolution::NoUnionid)),
                (None, Known::Not) => Err(Refusal::Unreachable(Resolution::UserUnknown)),
            }
        });
        Ok(found.collect())
    }

    /// How far each of these people is known.
    async fn people(&self, users: &[&User], target: &AppId) -> Result<Vec<Known>, store::Error> {
        let mut by_account: HashMap<&AppId, Vec<&OpenId>> = HashMap::new();
        for user in users {
            if let User::OpenId { appid, openid } = user {
                by_account.entry(appid).or_default().push(openid);
            }
        }
        let number = self.accounts.number(&self.store, target).await?;
        let mut links = HashMap::new();
        for (appid, openids) in by_account {
            let Some(source) = self.source(appid) else { continue };
            let account = self.accounts.number(&self.store, appid).await?;
            let reader = self.store.reader();
            links.insert(appid, identities::list(reader, source, account, &openids, number).await?);
        }
        let person = |user: &&User| match user {
            User::Unionid(unionid) => Known::As(unionid.clone()),
            User::OpenId { appid, openid } => {
                match links.get(appid).and_then(|found| found.get(openid)) {
                    Some(link) => link.unionid.clone().map_or(Known::Nowhere, Known::As),
                    None => Known::Not,
                }
            }
        };
        Ok(users.iter().map(person).collect())
    }

    fn source(&self, appid: &AppId) -> Option<Source> {
        Some(match self.senders.get(appid)?.channel {
            Channel::Template => Source::OfficialAccount,
            Channel::Subscribe => Source::MiniProgram,
        })
    }
}

/// The openid of who is named by one of the account itself.
fn own<'a>(user: &'a User, target: &AppId) -> Option<&'a OpenId> {
    match user {
        User::OpenId { appid, openid } if appid == target => Some(openid),
        _ => None,
    }
}

fn unseen(openid: &OpenId) -> Result<Reached, Refusal> {
    Ok(Reached { openid: openid.clone(), unionid: None })
}

fn followed(resolution: Resolution) -> Result<Reached, Refusal> {
    match resolution {
        Resolution::Resolved { openid, unionid, .. } => {
            Ok(Reached { openid, unionid: Some(unionid) })
        }
        unreachable => Err(Refusal::Unreachable(unreachable)),
    }
}
