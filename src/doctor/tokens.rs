//! Where the doctor's calls take their token from: the keeper, or WeChat where there is no database.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Context;
use super::check::told;
use crate::app;
use crate::config::OfficialAccount;
use crate::model::AppId;
use crate::token::Keeper;
use crate::wechat::{self, AccessToken, Client, ConcurrencyLimit, TokenError, TokenSource};

/// Calls in flight for one account.
const CONCURRENCY: usize = 2;

/// How tokens are got. Never by force, which would end everybody's.
pub(super) struct Tokens<'a> {
    client: &'a Client,
    keeper: Option<Arc<Keeper>>,
}

/// An account's calls, and for how long its token is good.
pub(super) struct Granted {
    pub(super) calls: wechat::Account,
    pub(super) expires_in: Duration,
}

/// Why there is no token, and what to do.
pub(super) struct Refused {
    pub(super) problem: String,
    pub(super) hint: Option<String>,
}

impl<'a> Tokens<'a> {
    /// `None` where calls cannot be prepared.
    pub(super) fn of(context: &'a Context<'_>) -> Option<Self> {
        let client = context.client.as_ref()?;
        let keeper = context.base.ready().ok();
        let keeper = keeper.map(|store| app::keeper(context.config, store, client));
        Some(Self { client, keeper })
    }

    /// Asks WeChat, although a token may be at hand: whether it still gives one is the question. In
    /// the normal mode it gives the one that everybody has.
    pub(super) async fn grant(&self, account: &OfficialAccount) -> Result<Granted, Refused> {
        let appid = &account.appid;
        let (tokens, expires_in): (Arc<dyn TokenSource>, _) = match &self.keeper {
            Some(keeper) => {
                let standing = keeper.refresh(appid, false).await;
                let standing = standing
                    .map_err(|error| Refused { problem: told(&error), hint: error.hint() })?;
                (keeper.clone(), Duration::from_secs(standing.expires_in))
            }
            None => {
                let granted = self.client.stable_token(appid, &account.secret, false).await;
                let granted = granted
                    .map_err(|error| Refused { problem: told(&error), hint: error.hint() })?;
                (Arc::new(Single(granted.token)), granted.expires_in)
            }
        };
        let calls = self.client.account(appid.clone(), tokens, ConcurrencyLimit::new(CONCURRENCY));
        Ok(Granted { calls, expires_in })
    }
}

/// One token, and no other.
struct Single(AccessToken);

#[async_trait]
impl TokenSource for Single {
    async fn token(&self, _: &AppId) -> Result<AccessToken, TokenError> {
        Ok(self.0.clone())
    }

    async fn replace(&self, appid: &AppId, _: &AccessToken) -> Result<AccessToken, TokenError> {
        Err(TokenError::Contested(appid.clone()))
    }
}
