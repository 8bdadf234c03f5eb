//! Who calls: `Authorization: Bearer ubk_…`, and nothing else.
//!
//! A handler that takes a [`Caller`] as its first argument is open to keys with that scope only; its
//! `#[utoipa::path]` says the same as `security(("api_key" = ["resolve"]))`, and a test compares the
//! two for every route of the document.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::Context;
use super::error::Problem;
use crate::keys::Grant;
use crate::model::{AppId, Scope};

/// A scope as a type, for [`Caller`].
pub(super) trait Needed: Send + std::marker::Sync {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! needed {
    ($($name:ident)*) => {$(
        #[doc = concat!("[`Scope::", stringify!($name), "`] as a type.")]
        #[derive(Debug)]
        pub(super) struct $name;

        impl Needed for $name {
            const SCOPE: Scope = Scope::$name;
        }
    )*};
}

needed!(Login Resolve Erase Push Templates Token Sync Read Metrics);

/// Whoever sent the request, whose key is valid, has the scope `S`, and is within its limit.
#[derive(Debug)]
pub(super) struct Caller<S> {
    grant: Arc<Grant>,
    scope: PhantomData<S>,
}

impl<S> Caller<S> {
    /// The key's public part: the actor of the audit trail.
    pub(super) fn id(&self) -> &str {
        &self.grant.key().id
    }

    /// Who has the key, told from others also after it was rolled.
    pub(super) fn owner(&self) -> &str {
        self.grant.owner()
    }

    /// Whether the key is for this account.
    pub(super) fn allows(&self, appid: &AppId) -> bool {
        self.grant.allows_app(appid)
    }

    /// The accounts that the key is for; `None` where it is for all.
    pub(super) fn appids(&self) -> Option<&[AppId]> {
        self.grant.only_for()
    }

    /// Refuses, where the key is for some accounts only: for what concerns all of them.
    pub(super) fn may_name_all(&self) -> Result<(), Problem> {
        if self.appids().is_none() {
            return Ok(());
        }
        let detail = "the API key is for some accounts, and this concerns all of them";
        Err(Problem::forbidden("app_not_allowed", detail)
            .hint("make a key with `keys create` without --app"))
    }

    /// Refuses, where the key is for other accounts.
    pub(super) fn may_name(&self, appid: &AppId) -> Result<(), Problem> {
        if self.allows(appid) {
            return Ok(());
        }
        let detail = format!("the API key is not for the account {appid}");
        Err(Problem::forbidden("app_not_allowed", detail)
            .hint("make a key with `keys create --app` for this account, or without --app for all"))
    }
}

impl<S: Needed> FromRequestParts<Context> for Caller<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Problem> {
        refuse_key_in_query(parts.uri.query().unwrap_or_default())?;
        let grant = context.app.keys.authenticate(bearer(&parts.headers)?)?;
        grant.count().map_err(|after| {
            Problem::too_many("rate_limited", "the API key's limit is reached", after)
                .hint("slow down; `keys create --limit` makes a key with a higher limit")
        })?;
        if !grant.allows(S::SCOPE) {
            let detail = format!("the API key has not the scope `{}`", S::SCOPE);
            let hint = format!("make a key with `unionid-bridge keys create --scope {}`", S::SCOPE);
            return Err(Problem::forbidden("scope_missing", detail).hint(hint));
        }
        Ok(Self { grant, scope: PhantomData })
    }
}

/// The key in the one header that carries it.
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = || {
        Problem::unauthorized("key_missing", "an API key is needed")
            .hint("send `Authorization: Bearer ubk_…`")
    };
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (sent.next(), sent.next()) else { return Err(missing()) };
    let text = header.to_str().map_err(|_| missing())?;
    let (scheme, key) = text.split_once(' ').ok_or_else(missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(missing());
    }
    Ok(key.trim())
}

/// Query strings end up in the logs of proxies and in browsers' histories.
fn refuse_key_in_query(query: &str) -> Result<(), Problem> {
    let is_key = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        [name, value].iter().any(|part| part.starts_with("ubk_"))
            || ["access_token", "key"].contains(&name)
    };
    if !query.split('&').any(is_key) {
        return Ok(());
    }
    Err(Problem::bad_request("key_in_query", "a key in the query string is not taken").hint(
        "send it as `Authorization: Bearer ubk_…`, and roll this one: it may stand in a log by now",
    ))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn sent(headers: &[&'static str]) -> Result<String, &'static str> {
        let one = |value: &&'static str| (AUTHORIZATION, HeaderValue::from_static(value));
        let mut map = HeaderMap::new();
        for (name, value) in headers.iter().map(one) {
            map.append(name, value);
        }
        bearer(&map).map(str::to_owned).map_err(|problem| problem.code())
    }

    #[test]
    fn the_scheme_is_read_without_case_and_nothing_else_is_taken() {
        assert_eq!(sent(&["Bearer ubk_a"]).as_deref(), Ok("ubk_a"));
        assert_eq!(sent(&["bearer  ubk_a "]).as_deref(), Ok("ubk_a"));
        for headers in [&[][..], &["ubk_a"], &["Basic dTpw"], &["Bearer a", "Bearer b"], &[""]] {
            assert_eq!(sent(headers), Err("key_missing"), "{headers:?}");
        }
    }

    #[test]
    fn a_key_in_the_query_string_is_found_wherever_it_stands() {
        for query in
            ["key=1", "a=b&access_token=x", "x=ubk_abc", "a&openid=ubk_1&b", "ubk_a=1", "a&ubk_b"]
        {
            assert_eq!(refuse_key_in_query(query).unwrap_err().code(), "key_in_query", "{query}");
        }
        for query in ["", "a=b&keys=2", "openid=okey", "x=a_ubk_"] {
            assert!(refuse_key_in_query(query).is_ok(), "{query}");
        }
    }
}
