//! `/v1/resolve-openid`: a user's openid in an Official Account, for one user or up to 1,000.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::{BULK, Json};
use crate::http::error::Problem;
use crate::http::parameters::{Nothing, Query};
use crate::model::{AppId, OpenId, UnionId};
use crate::resolve::{Error, Resolution, User};

use super::user::{NamedUser, UserFields};

/// The maximum number of users in one request.
const MAX_USERS: usize = 1_000;

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().routes(routes!(resolve_openid, resolve_openids))
}

/// The user to resolve
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ResolveQuery {
    /// The AppID of the Mini Program or Official Account that `openid` belongs to
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    appid: Option<AppId>,
    /// The user's openid in that account
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    openid: Option<OpenId>,
    /// The user's unionid, instead of `appid` and `openid`
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    unionid: Option<UnionId>,
    /// The AppID of the Official Account to resolve to; optional if exactly one is configured
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    to: Option<AppId>,
}

/// The users to resolve
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResolveRequest {
    /// The AppID of the Official Account to resolve to; optional if exactly one is configured
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    to: Option<AppId>,
    /// The users, each by openid or by unionid
    #[schema(max_items = 1000)]
    users: Vec<NamedUser>,
}

/// A user who follows the Official Account
#[derive(Debug, Serialize, ToSchema)]
pub struct ResolveResponse {
    /// Always `resolved`
    #[schema(pattern = "^resolved$")]
    status: &'static str,
    /// The AppID of the Official Account
    #[schema(value_type = String)]
    official_account: AppId,
    /// The user's openid in the Official Account
    #[schema(value_type = String)]
    openid: OpenId,
    /// The user's unionid, the same in all accounts
    #[schema(value_type = String)]
    unionid: UnionId,
    /// Whether the user follows the Official Account
    subscribed: bool,
    /// When WeChat last confirmed `subscribed`: by a profile, an event or a complete list of followers
    verified_at: DateTime<Utc>,
}

/// The result for each user
#[derive(Serialize, ToSchema)]
struct ResolveManyResponse {
    /// One result for each user, in the order of the request
    results: Vec<ResolveResult>,
}

/// A resolved user, or the reason why the user could not be resolved
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum ResolveResult {
    Resolved(ResolveResponse),
    Unresolved(UnresolvedUser),
}

/// A user who could not be resolved
#[derive(Serialize, ToSchema)]
struct UnresolvedUser {
    /// `user_unknown`: the service has never seen this user. `no_unionid`: WeChat has not returned the
    /// user's unionid. `not_a_follower`: the service has never seen the user follow the Official Account.
    /// `unfollowed`: the user no longer follows it
    #[schema(pattern = "^(user_unknown|no_unionid|not_a_follower|unfollowed)$")]
    status: &'static str,
}

/// Resolve a user
///
/// Finds the user's openid in the Official Account `to`, from an openid in a Mini Program or another
/// Official Account (`appid` and `openid`) or from a `unionid`. A user who does not follow the Official
/// Account is a 404 whose `code` says why.
#[utoipa::path(
    get, path = "/v1/resolve-openid", tag = "resolve", security(("api_key" = ["resolve"])),
    params(ResolveQuery),
    responses(
        (status = 200, body = ResolveResponse),
        (status = 400, description = "`official_account_needed`: several Official Accounts are \
            configured; name one with `to`. `invalid_query`: a parameter is invalid, unknown or given \
            twice, or the user is named neither by `appid` and `openid` nor by `unionid`"),
        (status = 404, description = "`user_unknown`: the service has never seen this user. `no_unionid`: \
            WeChat has not returned the user's unionid, usually because an account is not bound to the \
            Open Platform account. `not_a_follower`: the service has never seen the user follow the \
            Official Account. `unfollowed`: the user no longer follows it. `account_unknown`, \
            `official_account_unknown`: the account is not configured"),
    )
)]
async fn resolve_openid(
    caller: Caller<auth::Resolve>,
    State(context): State<Context>,
    Query(query): Query<ResolveQuery>,
) -> Result<Json<ResolveResponse>, Problem> {
    let ResolveQuery { appid, openid, unionid, to } = query;
    let user = NamedUser::try_from(UserFields { appid, openid, unionid });
    let user = User::from(user.map_err(|problem| {
        Problem::bad_request("invalid_query", problem).hint("/docs lists the parameters")
    })?);
    let target = authorize(&caller, &context, std::slice::from_ref(&user), to.as_ref())?;
    let resolution = context.app.resolver.resolve(user, Some(target)).await?;
    let (status, problem, hint) = (resolution.status(), resolution.problem(), resolution.hint());
    ResolveResponse::of(resolution)
        .map(Json)
        .ok_or_else(|| Problem::not_found(status, problem.unwrap_or_default()).maybe_hint(hint))
}

/// Resolve up to 1,000 users
///
/// Finds each user's openid in the Official Account `to`. Users who cannot be resolved do not fail the
/// request: their `status` says why.
#[utoipa::path(
    post, path = "/v1/resolve-openid", tag = "resolve", security(("api_key" = ["resolve"])),
    request_body = ResolveRequest,
    responses(
        (status = 200, body = ResolveManyResponse),
        (status = 400, description = "`too_many_users`: more than 1,000 users; send them in several \
            requests. `official_account_needed`: several Official Accounts are configured; name one with \
            `to`. `invalid_json`, `invalid_body`: the body is malformed"),
        (status = 404, description = "`account_unknown`, `official_account_unknown`: the account is not \
            configured"),
    )
)]
async fn resolve_openids(
    caller: Caller<auth::Resolve>,
    _: Query<Nothing>,
    State(context): State<Context>,
    Json(request): Json<ResolveRequest, BULK>,
) -> Result<Json<ResolveManyResponse>, Problem> {
    let ResolveRequest { to, users } = request;
    if users.len() > MAX_USERS {
        let detail = format!("the request has {} users; the maximum is {MAX_USERS}", users.len());
        return Err(Problem::bad_request("too_many_users", detail)
            .hint("send the users in several requests"));
    }
    let users: Vec<User> = users.into_iter().map(User::from).collect();
    let target = authorize(&caller, &context, &users, to.as_ref())?;
    let resolutions = context.app.resolver.resolve_all(&users, Some(target)).await?;
    Ok(Json(ResolveManyResponse { results: resolutions.into_iter().map(Into::into).collect() }))
}

/// Returns the Official Account to resolve to, or 403 unless the key may access it and the users' accounts.
fn authorize<'c>(
    caller: &Caller<auth::Resolve>,
    context: &'c Context,
    users: &[User],
    to: Option<&AppId>,
) -> Result<&'c AppId, Problem> {
    let target = context.app.resolver.target(to)?;
    caller.require_app(target)?;
    for user in users {
        if let User::OpenId { appid, .. } = user {
            caller.require_app(appid)?;
        }
    }
    Ok(target)
}

impl ResolveResponse {
    /// Returns `None` unless the user follows the Official Account.
    pub fn of(resolution: Resolution) -> Option<Self> {
        let status = resolution.status();
        let Resolution::Resolved { official_account, openid, unionid, subscribed, verified_at } =
            resolution
        else {
            return None;
        };
        Some(Self { status, official_account, openid, unionid, subscribed, verified_at })
    }
}

impl From<Resolution> for ResolveResult {
    fn from(resolution: Resolution) -> Self {
        let status = resolution.status();
        let unresolved = || Self::Unresolved(UnresolvedUser { status });
        ResolveResponse::of(resolution).map_or_else(unresolved, Self::Resolved)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error.as_ref().into(),
            Error::Account(unclear) => unclear.into(),
        }
    }
}
