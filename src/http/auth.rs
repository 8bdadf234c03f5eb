//! Authentication: `Authorization: Bearer ubk_…` is the only accepted form.
//!
//! A handler that takes a [`Caller`] as its first argument accepts only keys with that scope. Its
//! `#[utoipa::path]` declares the same scope, as `security(("api_key" = ["resolve"]))`; a test compares
//! the two for every route of the document.

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
pub(super) trait RequiredScope: Send + std::marker::Sync {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! required_scopes {
    ($($name:ident)*) => {$(
        #[doc = concat!("[`Scope::", stringify!($name), "`] as a type.")]
        #[derive(Debug)]
        pub(super) struct $name;

        impl RequiredScope for $name {
            const SCOPE: Scope = Scope::$name;
        }
    )*};
}

required_scopes!(Login Resolve Erase Push Templates Token Sync Read Metrics);

/// The caller of a request. Its key is valid, has the scope `S`, and is within its rate limit.
#[derive(Debug)]
pub(super) struct Caller<S> {
    grant: Arc<Grant>,
    scope: PhantomData<S>,
}

impl<S> Caller<S> {
    /// The public part of the key: the actor in the audit trail.
    pub(super) fn id(&self) -> &str {
        &self.grant.key().id
    }

    /// Identifies the owner of the key. Stays the same when the key is rolled.
    pub(super) fn owner(&self) -> &str {
        self.grant.owner()
    }

    /// Whether the key may access this account.
    pub(super) fn allows(&self, appid: &AppId) -> bool {
        self.grant.allows_app(appid)
    }

    /// The accounts that the key may access; `None` for all.
    pub(super) fn appids(&self) -> Option<&[AppId]> {
        self.grant.restricted_to()
    }

    /// Returns 403 unless the key may access all accounts: for operations that affect all of them.
    pub(super) fn require_all_apps(&self) -> Result<(), Problem> {
        if self.appids().is_none() {
            return Ok(());
        }
        let detail = "the API key is limited to some accounts, and this operation affects all";
        Err(Problem::forbidden("app_not_allowed", detail)
            .hint("create a key with `unionid-bridge keys create` without --app"))
    }

    /// Returns 403 unless the key may access this account.
    pub(super) fn require_app(&self, appid: &AppId) -> Result<(), Problem> {
        if self.allows(appid) {
            return Ok(());
        }
        let detail = format!("the API key may not access the account {appid}");
        Err(Problem::forbidden("app_not_allowed", detail).hint(
            "create a key with `unionid-bridge keys create --app` for this account, or without --app \
             for all",
        ))
    }
}

impl<S: RequiredScope> FromRequestParts<Context> for Caller<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Problem> {
        refuse_key_in_query(parts.uri.query().unwrap_or_default())?;
        let grant = context.app.keys.authenticate(bearer(&parts.headers)?)?;
        grant.count().map_err(|after| {
            Problem::too_many_requests("rate_limited", "the API key exceeded its rate limit", after)
                .hint("slow down, or create a key with a higher limit: `keys create --limit`")
        })?;
        if !grant.allows(S::SCOPE) {
            let detail = format!("the API key lacks the scope `{}`", S::SCOPE);
            let hint =
                format!("create a key with `unionid-bridge keys create --scope {}`", S::SCOPE);
            return Err(Problem::forbidden("scope_missing", detail).hint(hint));
        }
        Ok(Self { grant, scope: PhantomData })
    }
}

/// Returns the key from the `Authorization` header, which must occur exactly once.
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = || {
        Problem::unauthorized("key_missing", "this request needs an API key")
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

/// Returns 400 if the query string contains a key: query strings end up in proxy logs and browser histories.
fn refuse_key_in_query(query: &str) -> Result<(), Problem> {
    let is_key = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        [name, value].iter().any(|part| part.starts_with("ubk_"))
            || ["access_token", "key"].contains(&name)
    };
    if !query.split('&').any(is_key) {
        return Ok(());
    }
    let detail = "API keys are not accepted in the query string";
    Err(Problem::bad_request("key_in_query", detail).hint(
        "send it as `Authorization: Bearer ubk_…`; replace a key that was sent this way with \
         `unionid-bridge keys roll`, because it may be in logs now",
    ))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn parse(headers: &[&'static str]) -> Result<String, &'static str> {
        let one = |value: &&'static str| (AUTHORIZATION, HeaderValue::from_static(value));
        let mut map = HeaderMap::new();
        for (name, value) in headers.iter().map(one) {
            map.append(name, value);
        }
        bearer(&map).map(str::to_owned).map_err(|problem| problem.code())
    }

    #[test]
    fn only_one_bearer_header_is_accepted_and_its_scheme_ignores_case() {
        assert_eq!(parse(&["Bearer ubk_a"]).as_deref(), Ok("ubk_a"));
        assert_eq!(parse(&["bearer  ubk_a "]).as_deref(), Ok("ubk_a"));
        for headers in [&[][..], &["ubk_a"], &["Basic dTpw"], &["Bearer a", "Bearer b"], &[""]] {
            assert_eq!(parse(headers), Err("key_missing"), "{headers:?}");
        }
    }

    #[test]
    fn a_key_anywhere_in_the_query_string_is_rejected() {
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
