//! The last moment before a call leaves, in which whoever makes it has a say.
//!
//! A call that does a second thing when it is made twice is noted by its maker before its first byte
//! leaves. What is waited for until then, a token and a place in the gate, is none of the call yet: where it
//! takes too long, nothing was sent.

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::attempts::placed;
use super::request::Request;
use super::{AccessToken, Account, Class, Error};

/// What the maker of a call decides before it leaves.
#[async_trait]
pub trait Departure: Send + Sync {
    /// Until when a token and a place in the gate are waited for.
    fn latest(&self) -> Instant;

    /// Both are there. Whether the call is made: its bytes leave next.
    async fn begin(&self) -> bool;
}

impl Account {
    /// Makes a call once, and once more only where WeChat refused its token. After
    /// [`Error::NotMade`] nothing has left that WeChat did not refuse.
    pub(super) async fn call_once<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        departure: &dyn Departure,
    ) -> Result<T, Error> {
        let (tokens, appid) = (self.tokens(), self.appid());
        let token = in_time(request, departure, tokens.token(appid)).await??;
        match self.leave(request, &token, departure).await {
            Err(Error::Refused { class: Class::Token, .. }) => {}
            outcome => return outcome,
        }
        let newer = in_time(request, departure, tokens.replace(appid, &token)).await??;
        match self.leave(request, &newer, departure).await {
            Err(Error::Refused { call, class: Class::Token, upstream }) => {
                Err(Error::TokenRefused { call, upstream })
            }
            outcome => outcome,
        }
    }

    async fn leave<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        token: &AccessToken,
        departure: &dyn Departure,
    ) -> Result<T, Error> {
        let place = in_time(request, departure, self.lane().gate.enter()).await?;
        if !departure.begin().await {
            return Err(Error::NotMade { call: request.call.name() });
        }
        placed(self.link(), request, Some(token), self.lane(), place).await
    }
}

async fn in_time<T>(
    request: &Request<'_>,
    departure: &dyn Departure,
    wait: impl Future<Output = T>,
) -> Result<T, Error> {
    let late = |_| Error::NotMade { call: request.call.name() };
    timeout_at(departure.latest(), wait).await.map_err(late)
}
