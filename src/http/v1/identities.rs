//! `/v1/identities/{unionid}`: everything known of a person, and forgetting it.

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

/// A person, and every openid known of them
#[derive(Serialize, ToSchema)]
struct IdentityResponse {
    /// The person across accounts
    #[schema(value_type = String)]
    unionid: UnionId,
    /// In the Official Accounts that they follow or followed
    official_accounts: Vec<IdentityOfficialAccount>,
    /// In the Mini Programs that they logged in to
    mini_programs: Vec<IdentityMiniProgram>,
}

/// A person in an Official Account
#[derive(Serialize, ToSchema)]
struct IdentityOfficialAccount {
    /// The Official Account
    #[schema(value_type = String)]
    appid: AppId,
    /// The person in it
    #[schema(value_type = String)]
    openid: OpenId,
    /// Whether they follow it
    subscribed: bool,
    /// When WeChat last said so
    verified_at: DateTime<Utc>,
}

/// A person in a Mini Program
#[derive(Serialize, ToSchema)]
struct IdentityMiniProgram {
    /// The Mini Program
    #[schema(value_type = String)]
    appid: AppId,
    /// The person in it
    #[schema(value_type = String)]
    openid: OpenId,
    /// When they last logged in
    last_login_at: DateTime<Utc>,
}

/// Every openid of a person
///
/// In the accounts that the API key may name.
#[utoipa::path(
    get, path = "/v1/identities/{unionid}", tag = "identities", security(("api_key" = ["resolve"])),
    params(("unionid" = String, Path, description = "The person across accounts",
            pattern = r"^[A-Za-z0-9_-]{1,64}$")),
    responses(
        (status = 200, body = IdentityResponse),
        (status = 404, description = "`user_unknown`: nothing is known of this person"),
    )
)]
async fn get_identity(
    caller: Caller<auth::Resolve>,
    State(context): State<Context>,
    Path(unionid): Path<UnionId>,
    _: Query<Nothing>,
) -> Result<Json<IdentityResponse>, Problem> {
    let person = context.app.resolver.find_person(&unionid).await?;
    let person = person.map(|person| named(&caller, person)).filter(IdentityResponse::is_known);
    person.map(Json).ok_or_else(|| {
        Problem::not_found("user_unknown", "nothing is known of this person in these accounts")
            .hint("a person is known once they follow an account or log in")
    })
}

/// Forget a person
///
/// Everywhere, for good, and whether or not anything is known: no later list of followers brings them
/// back until they act again, by a login, a follow, a scan or a message. Backups are not reached. Done
/// twice it changes nothing.
#[utoipa::path(
    delete, path = "/v1/identities/{unionid}", tag = "identities", security(("api_key" = ["erase"])),
    params(("unionid" = String, Path, description = "The person across accounts",
            pattern = r"^[A-Za-z0-9_-]{1,64}$")),
    responses(
        (status = 204, description = "Forgotten"),
        (status = 403, description = "The API key has not the scope, or is for some accounts only"),
    )
)]
async fn erase_identity(
    caller: Caller<auth::Erase>,
    State(context): State<Context>,
    request_id: RequestId,
    Path(unionid): Path<UnionId>,
    _: Query<Nothing>,
) -> Result<NoContent, Problem> {
    caller.may_name_all()?;
    let store = &context.app.store;
    erasure::erase_person(store, &unionid, caller.id(), Some(request_id.as_str())).await?;
    Ok(NoContent)
}

/// The person in the accounts that the key may name.
fn named(caller: &Caller<auth::Resolve>, person: Person) -> IdentityResponse {
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
