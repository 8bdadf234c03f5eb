//! Everything that is known about one person.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Error, Resolver, instant};
use crate::model::{AppId, OpenId, UnionId};
use crate::store::{self, identities};

/// A person, and all known openids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// The person across accounts.
    pub unionid: UnionId,
    /// The Official Accounts that the person follows or followed.
    pub official_accounts: Vec<InOfficialAccount>,
    /// The Mini Programs that the person logged in to.
    pub mini_programs: Vec<InMiniProgram>,
}

/// A person in an Official Account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InOfficialAccount {
    /// The account.
    pub appid: AppId,
    /// The person in that account.
    pub openid: OpenId,
    /// Whether the person follows.
    pub subscribed: bool,
    /// When WeChat last confirmed it.
    pub verified_at: DateTime<Utc>,
}

/// A person in a Mini Program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InMiniProgram {
    /// The Mini Program.
    pub appid: AppId,
    /// The person in it.
    pub openid: OpenId,
    /// The time of the last login.
    pub last_login_at: DateTime<Utc>,
}

impl Resolver {
    /// Returns everything known about a person in the configured accounts, or `None` if nothing is.
    pub async fn find_person(&self, unionid: &UnionId) -> Result<Option<Person>, Error> {
        let person = store::in_time(self.person(unionid)).await?;
        let is_known = !person.official_accounts.is_empty() || !person.mini_programs.is_empty();
        Ok(is_known.then_some(person))
    }

    async fn person(&self, unionid: &UnionId) -> Result<Person, store::Error> {
        let reader = self.look_ups.store.reader();
        let appids = self.look_ups.accounts.by_account_id(&self.look_ups.store).await?;
        let follows = identities::list_follows(reader, unionid).await?.into_iter();
        let logins = identities::list_logins(reader, unionid).await?.into_iter();
        Ok(Person {
            unionid: unionid.clone(),
            official_accounts: follows
                .filter_map(|(account, follow)| {
                    Some(InOfficialAccount {
                        appid: (*appids.get(&account)?).clone(),
                        openid: follow.openid,
                        subscribed: follow.subscribed,
                        verified_at: instant(follow.verified_at),
                    })
                })
                .collect(),
            mini_programs: logins
                .filter_map(|(account, login)| {
                    Some(InMiniProgram {
                        appid: (*appids.get(&account)?).clone(),
                        openid: login.openid,
                        last_login_at: instant(login.login_at),
                    })
                })
                .collect(),
        })
    }
}
