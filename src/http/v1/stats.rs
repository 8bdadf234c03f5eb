//! `/v1/stats`: the number of followers and users, and how many have a known unionid.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::Json;
use crate::http::error::Problem;
use crate::http::parameters::{Nothing, Query};
use crate::model::{AppId, Run};

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().routes(routes!(get_stats))
}

/// The number of followers and users of each account
#[derive(Serialize, ToSchema)]
struct StatsResponse {
    /// When counting started; the counts may be some seconds old
    counted_at: DateTime<Utc>,
    /// The Official Accounts, in the order of the configuration
    official_accounts: Vec<OfficialAccountStats>,
    /// The Mini Programs, in the order of the configuration
    mini_programs: Vec<MiniProgramStats>,
}

/// The followers of an Official Account
#[derive(Serialize, ToSchema)]
struct OfficialAccountStats {
    /// The AppID of the account
    #[schema(value_type = String)]
    appid: AppId,
    /// The account's name in the configuration
    name: String,
    /// Current followers
    followers: u64,
    /// Current followers whose unionid is known: those who can be resolved
    with_unionid: u64,
    /// Current followers whose unionid is not known
    without_unionid: u64,
    /// Users who unfollowed the account
    unfollowed: u64,
    /// The latest sync run that succeeded; null if there is none
    #[schema(required = true)]
    last_good_run: Option<GoodRun>,
}

/// A sync run that succeeded
#[derive(Serialize, ToSchema)]
struct GoodRun {
    /// The id of the run, for `GET /v1/sync-runs/{id}`
    id: i64,
    /// When the run was started
    started_at: DateTime<Utc>,
    /// When the run ended
    #[schema(required = true)]
    finished_at: Option<DateTime<Utc>>,
}

/// The users of a Mini Program
#[derive(Serialize, ToSchema)]
struct MiniProgramStats {
    /// The AppID of the Mini Program
    #[schema(value_type = String)]
    appid: AppId,
    /// The Mini Program's name in the configuration
    name: String,
    /// Users who logged in
    users: u64,
    /// Users whose unionid is known
    with_unionid: u64,
    /// Users whose unionid is not known
    without_unionid: u64,
}

/// Count followers and users by account
///
/// Covers the configured accounts that the API key may access. Counts are cached for 5 s, or for 20 times
/// as long as counting took if that is longer.
#[utoipa::path(
    get, path = "/v1/stats", tag = "followers", security(("api_key" = ["read"])),
    responses(
        (status = 200, body = StatsResponse),
        (status = 503, description = "`counting`: the first count since the process started has not \
            finished; repeat the request. `database_unavailable`: the database failed"),
    )
)]
async fn get_stats(
    caller: Caller<auth::Read>,
    State(context): State<Context>,
    _: Query<Nothing>,
) -> Result<Json<StatsResponse>, Problem> {
    let counts = context.stats.get(&context.app).await?;
    let config = &context.app.config;
    let official = config.official_accounts.iter().filter(|account| caller.allows(&account.appid));
    let programs = config.mini_programs.iter().filter(|program| caller.allows(&program.appid));
    let official_accounts = official.map(|account| {
        let followers = counts.followers.get(&account.appid).copied().unwrap_or_default();
        OfficialAccountStats {
            appid: account.appid.clone(),
            name: account.name.clone(),
            followers: followers.following,
            with_unionid: followers.with_unionid,
            without_unionid: followers.following - followers.with_unionid,
            unfollowed: followers.unfollowed,
            last_good_run: counts.good_runs.get(&account.appid).map(GoodRun::of),
        }
    });
    let mini_programs = programs.map(|program| {
        let users = counts.users.get(&program.appid).copied().unwrap_or_default();
        MiniProgramStats {
            appid: program.appid.clone(),
            name: program.name.clone(),
            users: users.all,
            with_unionid: users.with_unionid,
            without_unionid: users.all - users.with_unionid,
        }
    });
    Ok(Json(StatsResponse {
        counted_at: counts.counted_at,
        official_accounts: official_accounts.collect(),
        mini_programs: mini_programs.collect(),
    }))
}

impl GoodRun {
    fn of(run: &Run) -> Self {
        Self { id: run.id, started_at: run.started_at, finished_at: run.finished_at }
    }
}
