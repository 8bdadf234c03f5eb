//! `/v1/resolve-openid`: which openid of the Official Account is this user, one at a time or a thousand.

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

use super::user::{NamedUser, UserMembers};

/// Users in one request.
const MOST_USERS: usize = 1_000;

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().routes(routes!(resolve_openid, resolve_openids))
}

/// Whom to resolve
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ResolveQuery {
    /// The Mini Program or Official Account that `openid` is of
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    appid: Option<AppId>,
    /// The user in that account
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    openid: Option<OpenId>,
    /// The user across accounts, in place of `appid` and `openid`
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    unionid: Option<UnionId>,
    /// The Official Account asked about; may be left out where one is configured
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    to: Option<AppId>,
}

/// Many users to resolve
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResolveRequest {
    /// The Official Account asked about; may be left out where one is configured
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    to: Option<AppId>,
    /// Whom to resolve, in any mixture
    #[schema(max_items = 1000)]
    users: Vec<NamedUser>,
}

/// The user follows the Official Account
#[derive(Debug, Serialize, ToSchema)]
pub struct ResolveResponse {
    /// Always `resolved`
    #[schema(pattern = "^resolved$")]
    status: &'static str,
    /// The Official Account
    #[schema(value_type = String)]
    official_account: AppId,
    /// The user in the Official Account
    #[schema(value_type = String)]
    openid: OpenId,
    /// The user across accounts
    #[schema(value_type = String)]
    unionid: UnionId,
    /// Whether the user follows the Official Account
    subscribed: bool,
    /// When WeChat last said so: by a profile, an event, or a complete list of followers
    verified_at: DateTime<Utc>,
}

/// What became of each user, in the order asked
#[derive(Serialize, ToSchema)]
struct ResolveManyResponse {
    results: Vec<ResolveResult>,
}

/// A user who was resolved, or the reason why not
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum ResolveResult {
    Resolved(ResolveResponse),
    Unresolved(UnresolvedUser),
}

/// A user who cannot be written to
#[derive(Serialize, ToSchema)]
struct UnresolvedUser {
    /// `user_unknown`, `no_unionid`, `not_a_follower` or `unfollowed`
    #[schema(pattern = "^(user_unknown|no_unionid|not_a_follower|unfollowed)$")]
    status: &'static str,
}

/// Resolve a user
///
/// From an openid of a Mini Program or an Official Account, or from a unionid, to the openid in the
/// Official Account `to`.
#[utoipa::path(
    get, path = "/v1/resolve-openid", tag = "resolve", security(("api_key" = ["resolve"])),
    params(ResolveQuery),
    responses(
        (status = 200, body = ResolveResponse),
        (status = 400, description = "`official_account_needed`: say which one with `to`. Or a parameter \
            is wrong, unknown or given twice"),
        (status = 404, description = "`user_unknown`: never seen. `no_unionid`: WeChat has not told it. \
            `not_a_follower`: known, and never seen following. `unfollowed`: has left. \
            `account_unknown`, `official_account_unknown`: not configured"),
    )
)]
async fn resolve_openid(
    caller: Caller<auth::Resolve>,
    State(context): State<Context>,
    Query(asked): Query<ResolveQuery>,
) -> Result<Json<ResolveResponse>, Problem> {
    let ResolveQuery { appid, openid, unionid, to } = asked;
    let user = NamedUser::try_from(UserMembers { appid, openid, unionid });
    let user = User::from(user.map_err(|problem| {
        Problem::bad_request("invalid_query", problem).hint("/docs names the parameters")
    })?);
    let target = allowed(&caller, &context, std::slice::from_ref(&user), to.as_ref())?;
    let resolution = context.app.resolver.resolve(user, Some(target)).await?;
    let (status, problem, hint) = (resolution.status(), resolution.problem(), resolution.hint());
    ResolveResponse::of(resolution)
        .map(Json)
        .ok_or_else(|| Problem::not_found(status, problem.unwrap_or_default()).maybe_hint(hint))
}

/// Resolve up to 1,000 users
#[utoipa::path(
    post, path = "/v1/resolve-openid", tag = "resolve", security(("api_key" = ["resolve"])),
    request_body = ResolveRequest,
    responses(
        (status = 200, body = ResolveManyResponse),
        (status = 400, description = "`too_many_users`: more than 1,000. `official_account_needed`: say \
            which one with `to`. Or the body cannot be understood"),
        (status = 404, description = "`account_unknown`, `official_account_unknown`: not configured"),
    )
)]
async fn resolve_openids(
    caller: Caller<auth::Resolve>,
    _: Query<Nothing>,
    State(context): State<Context>,
    Json(request): Json<ResolveRequest, BULK>,
) -> Result<Json<ResolveManyResponse>, Problem> {
    let ResolveRequest { to, users } = request;
    if users.len() > MOST_USERS {
        let detail = format!("{} users are more than {MOST_USERS}", users.len());
        return Err(Problem::bad_request("too_many_users", detail).hint("send them in parts"));
    }
    let users: Vec<User> = users.into_iter().map(User::from).collect();
    let target = allowed(&caller, &context, &users, to.as_ref())?;
    let resolutions = context.app.resolver.resolve_all(&users, Some(target)).await?;
    Ok(Json(ResolveManyResponse { results: resolutions.into_iter().map(Into::into).collect() }))
}

/// The Official Account asked about, if the key may name it and every account that users are of.
fn allowed<'c>(
    caller: &Caller<auth::Resolve>,
    context: &'c Context,
    users: &[User],
    to: Option<&AppId>,
) -> Result<&'c AppId, Problem> {
    let target = context.app.resolver.target(to)?;
    caller.may_name(target)?;
    for user in users {
        if let User::OpenId { appid, .. } = user {
            caller.may_name(appid)?;
        }
    }
    Ok(target)
}

impl ResolveResponse {
    /// Of a person who follows the Official Account; `None` of anybody else.
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
