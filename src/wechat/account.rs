//! One account's calls: where their token comes from, and what happens when WeChat refuses it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::attempts::{Shared, repeated};
use super::client::Link;
use super::request::Request;
use super::{Class, Error, TokenSource};
use crate::model::AppId;

/// The calls of one account; clones share their concurrency limit and their counts.
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

    /// The account.
    pub fn appid(&self) -> &AppId {
        &self.0.appid
    }

    /// Requests sent so far, repetitions included, by the path below `/cgi-bin/`: `user/get`,
    /// `user/info/batchget`. An attempt that got no connection counts too.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.0.shared.counts.all()
    }

    /// How many calls its concurrency limit lets be in flight now.
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

    /// Calls with the account's token. If WeChat refuses it, the token is replaced, for everybody,
    /// and the call is repeated once: a second refusal is another system's doing, and more tokens
    /// would not mend it.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
    ) -> Result<T, Error> {
        let Inner { link, appid, tokens, shared } = &*self.0;
        let token = tokens.token(appid).await?;
        match repeated(link, request, Some(&token), Some(shared)).await {
            Err(error) if error.class() == Class::Token => {}
            outcome => return outcome,
        }
        let newer = tokens.replace(appid, &token).await?;
        match repeated(link, request, Some(&newer), Some(shared)).await {
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
