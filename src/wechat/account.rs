//! The calls of one account: they get an access token, and replace it when WeChat refuses it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::client::Link;
use super::transport::attempts::{Shared, with_retries};
use super::transport::request::Request;
use super::{Class, Error, TokenSource};
use crate::model::AppId;

/// The calls of one account. Clones share the concurrency limit and the request counts.
#[derive(Clone)]
pub struct Account(Arc<Inner>);

struct Inner {
    link: Arc<Link>,
    appid: AppId,
    tokens: Arc<dyn TokenSource>,
    shared: Shared,
}

impl Account {
    pub(super) fn new(
        link: Arc<Link>,
        appid: AppId,
        tokens: Arc<dyn TokenSource>,
        shared: Shared,
    ) -> Self {
        Self(Arc::new(Inner { link, appid, tokens, shared }))
    }

    /// The AppID of the account.
    pub fn appid(&self) -> &AppId {
        &self.0.appid
    }

    /// The number of requests sent so far, retries included, by path below `/cgi-bin/`: `user/get`,
    /// `user/info/batchget`. Includes attempts that failed to connect.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.0.shared.counts.all()
    }

    /// The number of calls that the concurrency limit currently allows at the same time.
    pub fn concurrency(&self) -> usize {
        self.0.shared.concurrency.limit()
    }

    pub(super) fn link(&self) -> &Link {
        &self.0.link
    }

    pub(super) fn tokens(&self) -> &dyn TokenSource {
        &*self.0.tokens
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    /// Sends the request with the account's access token. If WeChat refuses the token, replaces it for all
    /// callers and sends the request once more. A second refusal means that another system refreshes the
    /// token too, so a third token would not help.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
    ) -> Result<T, Error> {
        let Inner { link, appid, tokens, shared } = &*self.0;
        let token = tokens.token(appid).await?;
        match with_retries(link, request, Some(&token), Some(shared)).await {
            Err(error) if error.class() == Class::Token => {}
            outcome => return outcome,
        }
        let newer = tokens.replace(appid, &token).await?;
        match with_retries(link, request, Some(&newer), Some(shared)).await {
            Err(Error::Refused { call, class: Class::Token, upstream }) => {
                Err(Error::TokenRefused { call, upstream })
            }
            outcome => outcome,
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("appid", &self.0.appid).finish_non_exhaustive()
    }
}
