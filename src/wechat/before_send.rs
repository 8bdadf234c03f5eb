//! The last moment before a call leaves, in which whoever makes it has a say.
//!
//! A call that does a second thing when it is made twice is noted by its maker before its first byte
//! leaves. What is waited for until then, a token and a permit, is none of the call yet: where it
//! takes too long, nothing was sent.

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::attempts::once_with_permit;
use super::request::Request;
use super::{AccessToken, Account, Class, Error};

/// What the maker of a call decides before it leaves.
#[async_trait]
pub trait BeforeSend: Send + Sync {
    /// Until when a token and a permit are waited for.
    fn deadline(&self) -> Instant;

    /// Both are there. Whether the call is made: its bytes leave next.
    async fn begin(&self) -> bool;
}

impl Account {
    /// Makes a call once, and once more only where WeChat refused its token. After
    /// [`Error::NotMade`] nothing has left that WeChat did not refuse.
    pub(super) async fn call_once<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        before_send: &dyn BeforeSend,
    ) -> Result<T, Error> {
        let (tokens, appid) = (self.tokens(), self.appid());
        let token = in_time(request, before_send, tokens.token(appid)).await??;
        match self.finish(request, &token, before_send).await {
            Err(Error::Refused { class: Class::Token, .. }) => {}
            outcome => return outcome,
        }
        let newer = in_time(request, before_send, tokens.replace(appid, &token)).await??;
        match self.finish(request, &newer, before_send).await {
            Err(Error::Refused { call, class: Class::Token, upstream }) => {
                Err(Error::TokenRefused { call, upstream })
            }
            outcome => outcome,
        }
    }

    async fn finish<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        token: &AccessToken,
        before_send: &dyn BeforeSend,
    ) -> Result<T, Error> {
        let permit = in_time(request, before_send, self.shared().concurrency.acquire()).await?;
        if !before_send.begin().await {
            return Err(Error::NotMade { call: request.call.name() });
        }
        once_with_permit(self.link(), request, Some(token), self.shared(), permit).await
    }
}

async fn in_time<T>(
    request: &Request<'_>,
    before_send: &dyn BeforeSend,
    wait: impl Future<Output = T>,
) -> Result<T, Error> {
    let late = |_| Error::NotMade { call: request.call.name() };
    timeout_at(before_send.deadline(), wait).await.map_err(late)
}
