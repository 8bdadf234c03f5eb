//! Resolves a user to an openid of an Official Account, and reports whether messages can reach
//! them.
//!
//! A Mini Program user, a follower of another Official Account, or a unionid identifies the user;
//! the unionid then leads to the openid in the target account. A lookup takes one statement at
//! most, a thousand take a handful, and concurrent lookups share statements. Knows nothing of
//! WeChat, HTTP or the caller.

mod accounts;
mod batch;
mod error;
mod lookup;
mod person;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::model::{AppId, OpenId, UnionId};
use crate::store::Store;
use crate::store::identities::{Follow, Link};

use batch::Batcher;
use lookup::Lookups;

pub use accounts::Accounts;
pub use error::Error;
pub use person::{InMiniProgram, InOfficialAccount, Person};

/// The user to look up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum User {
    /// A user of a Mini Program or an Official Account.
    OpenId {
        /// The account.
        appid: AppId,
        /// The user in that account.
        openid: OpenId,
    },
    /// A user across accounts.
    Unionid(UnionId),
}

/// The result of a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// The user follows the account.
    Resolved {
        /// The Official Account.
        official_account: AppId,
        /// The user in that account.
        openid: OpenId,
        /// The user across accounts.
        unionid: UnionId,
        /// Whether the user follows; always true here.
        subscribed: bool,
        /// When WeChat last confirmed it.
        verified_at: DateTime<Utc>,
    },
    /// The openid or the unionid was never seen: no login, no follow.
    UserUnknown,
    /// WeChat has not returned a unionid for this user, so the user cannot be found in other
    /// accounts.
    NoUnionid,
    /// The user is known, but never followed the account.
    NotAFollower,
    /// The user unfollowed the account.
    Unfollowed,
}

impl Resolution {
    /// The machine-readable status.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Resolved { .. } => "resolved",
            Self::UserUnknown => "user_unknown",
            Self::NoUnionid => "no_unionid",
            Self::NotAFollower => "not_a_follower",
            Self::Unfollowed => "unfollowed",
        }
    }

    /// Why messages cannot reach the user; `None` if they can.
    pub fn problem(&self) -> Option<&'static str> {
        match self {
            Self::Resolved { .. } => None,
            Self::UserUnknown => Some("this user was never seen"),
            Self::NoUnionid => Some("WeChat has not returned a unionid for this user"),
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

/// Converts a database time in ms. Out-of-range values, which the service never writes, become
/// 1970.
fn instant(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}

/// Looks up users. Clones share the queue and the account ids.
#[derive(Clone)]
pub struct Resolver {
    look_ups: Lookups,
    batcher: Batcher,
}

impl Resolver {
    /// Creates a resolver for these accounts. Must be called within a Tokio runtime.
    pub fn new(store: Store, accounts: Arc<Accounts>) -> Self {
        let look_ups = Lookups { store, accounts };
        let batcher = Batcher::spawn(&look_ups);
        Self { look_ups, batcher }
    }

    /// The target Official Account: `to`, or the only one configured.
    pub fn target(&self, to: Option<&AppId>) -> Result<&AppId, Error> {
        Ok(self.look_ups.accounts.target(to)?)
    }

    /// Resolves a user in the Official Account `to`, or in the only one configured.
    pub async fn resolve(&self, user: User, to: Option<&AppId>) -> Result<Resolution, Error> {
        let target = self.target(to)?.clone();
        if let User::OpenId { appid, .. } = &user {
            self.look_ups.accounts.source(appid)?;
        }
        self.batcher.resolve(user, target).await
    }

    /// Resolves many users in the Official Account `to`, in request order.
    pub async fn resolve_all(
        &self,
        users: &[User],
        to: Option<&AppId>,
    ) -> Result<Vec<Resolution>, Error> {
        self.look_ups.resolve_all(users, to).await
    }
}
