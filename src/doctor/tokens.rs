//! Access tokens for the doctor's calls: from the keeper, or directly from WeChat without a database.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Context;
use crate::app;
use crate::config::OfficialAccount;
use crate::error_chain::error_chain;
use crate::model::AppId;
use crate::token::Keeper;
use crate::wechat::{self, AccessToken, Client, ConcurrencyLimit, TokenError, TokenSource};

/// Calls in flight for one account.
const CONCURRENCY: usize = 2;

/// Fetches tokens, never by force, which would invalidate the token for everybody.
pub(super) struct Tokens<'a> {
    client: &'a Client,
    keeper: Option<Arc<Keeper>>,
}

/// The client for an account, and the remaining life of its token.
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
    /// Returns `None` if the WeChat client cannot be built.
    pub(super) fn of(context: &'a Context<'_>) -> Option<Self> {
        let client = context.client.as_ref()?;
        let keeper = context.database.ready().ok();
        let keeper = keeper.map(|store| app::keeper(context.config, store, client));
        Some(Self { client, keeper })
    }

    /// Requests the token from WeChat even if one is stored, to test that WeChat still grants it. In
    /// normal mode, WeChat returns the current token to every caller.
    pub(super) async fn grant(&self, account: &OfficialAccount) -> Result<Granted, Refused> {
        let appid = &account.appid;
        let (tokens, expires_in): (Arc<dyn TokenSource>, _) = match &self.keeper {
            Some(keeper) => {
                let status = keeper.refresh(appid, false).await;
                let status = status.map_err(|error| Refused {
                    problem: error_chain(&error),
                    hint: error.hint(),
                })?;
                (keeper.clone(), Duration::from_secs(status.expires_in))
            }
            None => {
                let granted = self.client.stable_token(appid, &account.secret, false).await;
                let granted = granted.map_err(|error| Refused {
                    problem: error_chain(&error),
                    hint: error.hint(),
                })?;
                (Arc::new(Single(granted.token)), granted.expires_in)
            }
        };
        let calls = self.client.account(appid.clone(), tokens, ConcurrencyLimit::new(CONCURRENCY));
        Ok(Granted { calls, expires_in })
    }
}

/// A token source with one token that cannot be replaced.
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
