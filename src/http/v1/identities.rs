//! `/v1/identities/{unionid}`: all openids of a user, and their erasure.

use axum::extract::State;
use axum::response::NoContent;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::erasure;
use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::Json;
use crate::http::error::Problem;
use crate::http::observe::RequestId;
use crate::http::parameters::{Nothing, Path, Query};
use crate::model::{AppId, OpenId, UnionId};
use crate::resolve::Person;

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().routes(routes!(get_identity, erase_identity))
}

/// A user and all known openids of that user
#[derive(Serialize, ToSchema)]
struct IdentityResponse {
    /// The user's unionid, the same in all accounts
    #[schema(value_type = String)]
    unionid: UnionId,
    /// The Official Accounts that the user follows or followed
    official_accounts: Vec<IdentityOfficialAccount>,
    /// The Mini Programs that the user logged in to
    mini_programs: Vec<IdentityMiniProgram>,
}

/// A user in an Official Account
#[derive(Serialize, ToSchema)]
struct IdentityOfficialAccount {
    /// The AppID of the Official Account
    #[schema(value_type = String)]
    appid: AppId,
    /// The user's openid in that account
    #[schema(value_type = String)]
    openid: OpenId,
    /// Whether the user follows the account
    subscribed: bool,
    /// When WeChat last confirmed `subscribed`
    verified_at: DateTime<Utc>,
}

/// A user in a Mini Program
#[derive(Serialize, ToSchema)]
struct IdentityMiniProgram {
    /// The AppID of the Mini Program
    #[schema(value_type = String)]
    appid: AppId,
    /// The user's openid in that Mini Program
    #[schema(value_type = String)]
    openid: OpenId,
    /// When the user last logged in
    last_login_at: DateTime<Utc>,
}

/// Get all openids of a user
///
/// Lists only the accounts that the API key may access.
#[utoipa::path(
    get, path = "/v1/identities/{unionid}", tag = "identities", security(("api_key" = ["resolve"])),
    params(("unionid" = String, Path, description = "The user's unionid",
            pattern = r"^[A-Za-z0-9_-]{1,64}$")),
    responses(
        (status = 200, body = IdentityResponse),
        (status = 404, description = "`user_unknown`: no openid of this user is known in the accounts \
            that the API key may access"),
    )
)]
async fn get_identity(
    caller: Caller<auth::Resolve>,
    State(context): State<Context>,
    Path(unionid): Path<UnionId>,
    _: Query<Nothing>,
) -> Result<Json<IdentityResponse>, Problem> {
    let person = context.app.resolver.find_person(&unionid).await?;
    let person = person.map(|person| visible(&caller, person)).filter(IdentityResponse::is_known);
    person.map(Json).ok_or_else(|| {
        let detail = "no openid of this user is known in the accounts that the API key may access";
        Problem::not_found("user_unknown", detail).hint(
            "users become known by following an Official Account or logging in to a Mini Program",
        )
    })
}

/// Erase a user
///
/// Permanently deletes everything stored about the user in all accounts. Follower syncs do not store the
/// user again, unless the user acts: logs in, follows an account, scans a QR code or sends a message. Also
/// works for users who are not known yet. Backups are not changed. Idempotent.
#[utoipa::path(
    delete, path = "/v1/identities/{unionid}", tag = "identities", security(("api_key" = ["erase"])),
    params(("unionid" = String, Path, description = "The user's unionid",
            pattern = r"^[A-Za-z0-9_-]{1,64}$")),
    responses(
        (status = 204, description = "The user is erased"),
        (status = 403, description = "`scope_missing`: the API key lacks the scope. `app_not_allowed`: it is \
            limited to some accounts"),
    )
)]
async fn erase_identity(
    caller: Caller<auth::Erase>,
    State(context): State<Context>,
    request_id: RequestId,
    Path(unionid): Path<UnionId>,
    _: Query<Nothing>,
) -> Result<NoContent, Problem> {
    caller.require_all_apps()?;
    let store = &context.app.store;
    erasure::erase_person(store, &unionid, caller.id(), Some(request_id.as_str())).await?;
    Ok(NoContent)
}

/// Returns the user in the accounts that the key may access.
fn visible(caller: &Caller<auth::Resolve>, person: Person) -> IdentityResponse {
    let Person { unionid, official_accounts, mini_programs } = person;
    let follows = official_accounts.into_iter().filter(|place| caller.allows(&place.appid));
    let logins = mini_programs.into_iter().filter(|place| caller.allows(&place.appid));
    IdentityResponse {
        unionid,
        official_accounts: follows
            .map(|place| IdentityOfficialAccount {
                appid: place.appid,
                openid: place.openid,
                subscribed: place.subscribed,
                verified_at: place.verified_at,
            })
            .collect(),
        mini_programs: logins
            .map(|place| IdentityMiniProgram {
                appid: place.appid,
                openid: place.openid,
                last_login_at: place.last_login_at,
            })
            .collect(),
    }
}

impl IdentityResponse {
    fn is_known(&self) -> bool {
        !self.official_accounts.is_empty() || !self.mini_programs.is_empty()
    }
}
