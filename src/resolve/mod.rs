//! Resolve: which openid of the Official Account is this person, and may they be written to?
//!
//! A Mini Program user, a follower of another Official Account, or a unionid leads to the person, and
//! the person to the openid in the account that is asked about. One statement a look-up at most, and a
//! handful for a thousand; look-ups that come at the same time share theirs. Knows nothing of WeChat, of HTTP, or of who asks.

mod accounts;
mod error;
mod gather;
mod many;
mod person;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::model::{AppId, OpenId, UnionId};
use crate::store::Store;
use crate::store::identities::{Follow, Link};

use gather::Gatherer;
use many::LookUps;

pub use accounts::Accounts;
pub use error::Error;
pub use person::{InMiniProgram, InOfficialAccount, Person};

/// Whom to look up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum User {
    /// By an openid of a Mini Program or an Official Account.
    OpenId {
        /// The account.
        appid: AppId,
        /// The person in it.
        openid: OpenId,
    },
    /// Across accounts.
    Unionid(UnionId),
}

/// What a look-up found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// The person follows the account.
    Resolved {
        /// The Official Account.
        official_account: AppId,
        /// The person in it.
        openid: OpenId,
        /// The person across accounts.
        unionid: UnionId,
        /// Whether the person follows; always true here.
        subscribed: bool,
        /// When WeChat last said so.
        verified_at: DateTime<Utc>,
    },
    /// The openid, or the unionid, was never seen: no login, no follow.
    UserUnknown,
    /// WeChat has not told this user's unionid, so nothing leads to another account.
    NoUnionid,
    /// The person is known and was never seen following the account.
    NotAFollower,
    /// The person followed the account and left it.
    Unfollowed,
}

impl Resolution {
    /// The status, as a word for programs.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Resolved { .. } => "resolved",
            Self::UserUnknown => "user_unknown",
            Self::NoUnionid => "no_unionid",
            Self::NotAFollower => "not_a_follower",
            Self::Unfollowed => "unfollowed",
        }
    }

    /// Why the person cannot be written to, in words; `None` where they can.
    pub fn problem(&self) -> Option<&'static str> {
        match self {
            Self::Resolved { .. } => None,
            Self::UserUnknown => Some("this user was never seen"),
            Self::NoUnionid => Some("WeChat has not told this user's unionid"),
            Self::NotAFollower => Some("this user does not follow the Official Account"),
            Self::Unfollowed => Some("this user has unfollowed the Official Account"),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Resolved { .. } => None,
            Self::UserUnknown => {
                Some("have the user log in to the Mini Program through POST /v1/login")
            }
            Self::NoUnionid => Some(
                "bind the account to the Open Platform account at open.weixin.qq.com; users are \
                 linked at their next login or sync",
            ),
            Self::NotAFollower | Self::Unfollowed => {
                Some("ask the user to follow the Official Account")
            }
        }
    }

    fn of_follow(target: &AppId, unionid: UnionId, follow: Option<Follow>) -> Self {
        match follow {
            None => Self::NotAFollower,
            Some(follow) if !follow.subscribed => Self::Unfollowed,
            Some(follow) => Self::Resolved {
                official_account: target.clone(),
                openid: follow.openid,
                unionid,
                subscribed: true,
                verified_at: instant(follow.verified_at),
            },
        }
    }

    fn of_link(target: &AppId, link: Option<Link>) -> Self {
        match link {
            None => Self::UserUnknown,
            Some(Link { unionid: None, .. }) => Self::NoUnionid,
            Some(Link { unionid: Some(unionid), follow }) => {
                Self::of_follow(target, unionid, follow)
            }
        }
    }
}

/// An instant of the database's; one that is out of range is none of ours.
fn instant(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}

/// Answers look-ups. Clones share what they know of the accounts.
#[derive(Clone)]
pub struct Resolver {
    look_ups: LookUps,
    gatherer: Gatherer,
}

impl Resolver {
    /// A resolver for these accounts. To be made within a runtime.
    pub fn new(store: Store, accounts: Arc<Accounts>) -> Self {
        let look_ups = LookUps { store, accounts };
        let gatherer = Gatherer::spawn(&look_ups);
        Self { look_ups, gatherer }
    }

    /// The Official Account that `to` names; the only one configured where it names none.
    pub fn target(&self, to: Option<&AppId>) -> Result<&AppId, Error> {
        Ok(self.look_ups.accounts.target(to)?)
    }

    /// Where a user leads in the Official Account `to`; it may be left out where one is configured.
    pub async fn resolve(&self, user: User, to: Option<&AppId>) -> Result<Resolution, Error> {
        let target = self.target(to)?.clone();
        if let User::OpenId { appid, .. } = &user {
            self.look_ups.accounts.source(appid)?;
        }
        self.gatherer.resolve(user, target).await
    }

    /// Where each of many users leads in the Official Account `to`, in the order asked.
    pub async fn resolve_all(
        &self,
        users: &[User],
        to: Option<&AppId>,
    ) -> Result<Vec<Resolution>, Error> {
        self.look_ups.resolve_all(users, to).await
    }
}
