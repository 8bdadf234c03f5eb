//! A hook that runs right before a request is sent.
//!
//! Some calls have a second effect when they are sent twice. Their caller records the attempt before the
//! first byte leaves. Waiting for a token and a permit happens before that: if the deadline passes during
//! the wait, nothing was sent.

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use crate::wechat::transport::attempts::once_with_permit;
use crate::wechat::transport::request::Request;
use crate::wechat::{AccessToken, Account, Class, Error};

/// Decides whether a request is sent, and until when it may wait.
#[async_trait]
pub trait BeforeSend: Send + Sync {
    /// The latest time to wait for a token and a permit.
    fn deadline(&self) -> Instant;

    /// Called once a token and a permit are available. Returns whether to send the request, which then
    /// happens immediately.
    async fn begin(&self) -> bool;
}

impl Account {
    /// Sends the request once, and a second time only if WeChat refused the token. After
    /// [`Error::NotSent`], WeChat has refused everything that was sent.
    pub(in crate::wechat) async fn call_once<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        before_send: &dyn BeforeSend,
    ) -> Result<T, Error> {
        let (tokens, appid) = (self.tokens(), self.appid());
        let token = in_time(request, before_send, tokens.token(appid)).await??;
        match self.send_if_allowed(request, &token, before_send).await {
            Err(Error::Refused { class: Class::Token, .. }) => {}
            outcome => return outcome,
        }
        let newer = in_time(request, before_send, tokens.replace(appid, &token)).await??;
        match self.send_if_allowed(request, &newer, before_send).await {
            Err(Error::Refused { call, class: Class::Token, upstream }) => {
                Err(Error::TokenRefused { call, upstream })
            }
            outcome => outcome,
        }
    }

    async fn send_if_allowed<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        token: &AccessToken,
        before_send: &dyn BeforeSend,
    ) -> Result<T, Error> {
        let permit = in_time(request, before_send, self.shared().concurrency.acquire()).await?;
        if !before_send.begin().await {
            return Err(Error::NotSent { call: request.call.name() });
        }
        once_with_permit(self.link(), request, Some(token), self.shared(), permit).await
    }
}

async fn in_time<T>(
    request: &Request<'_>,
    before_send: &dyn BeforeSend,
    wait: impl Future<Output = T>,
) -> Result<T, Error> {
    let late = |_| Error::NotSent { call: request.call.name() };
    timeout_at(before_send.deadline(), wait).await.map_err(late)
}
