//! How many people are known, and of how many WeChat has told the unionid.

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

/// How many people are known
#[derive(Serialize, ToSchema)]
struct StatsResponse {
    /// When they were counted
    counted_at: DateTime<Utc>,
    /// Official Accounts, in the order configured
    official_accounts: Vec<OfficialAccountStats>,
    /// Mini Programs, in the order configured
    mini_programs: Vec<MiniProgramStats>,
}

/// An Official Account's people
#[derive(Serialize, ToSchema)]
struct OfficialAccountStats {
    /// The account
    #[schema(value_type = String)]
    appid: AppId,
    /// What it is called here
    name: String,
    /// Who follow
    followers: u64,
    /// Those of them whose unionid is known: who can be resolved
    with_unionid: u64,
    /// Those of them whose unionid is not known
    without_unionid: u64,
    /// Who followed and left
    unfollowed: u64,
    /// The latest run that succeeded; null where none did
    #[schema(required = true)]
    last_good_run: Option<GoodRun>,
}

/// A run that succeeded
#[derive(Serialize, ToSchema)]
struct GoodRun {
    /// Its number, for `GET /v1/sync-runs/{id}`
    id: i64,
    /// When it was started
    started_at: DateTime<Utc>,
    /// When it was done
    #[schema(required = true)]
    finished_at: Option<DateTime<Utc>>,
}

/// A Mini Program's people
#[derive(Serialize, ToSchema)]
struct MiniProgramStats {
    /// The Mini Program
    #[schema(value_type = String)]
    appid: AppId,
    /// What it is called here
    name: String,
    /// Who logged in
    users: u64,
    /// Those of them whose unionid is known
    with_unionid: u64,
    /// Those of them whose unionid is not known
    without_unionid: u64,
}

/// Coverage, by account
///
/// Of the configured accounts that the key is for. Counted anew when the last count is older than a few
/// seconds; where there are many millions of people, than some twenty times as long as it took.
#[utoipa::path(
    get, path = "/v1/stats", tag = "followers", security(("api_key" = ["read"])),
    responses(
        (status = 200, body = StatsResponse),
        (status = 503, description = "`counting`: the first count since the start takes longer, ask \
            again; or the database does not answer"),
    )
)]
async fn get_stats(
    caller: Caller<auth::Read>,
    State(context): State<Context>,
    _: Query<Nothing>,
) -> Result<Json<StatsResponse>, Problem> {
    let count = context.stats.take(&context.app).await?;
    let config = &context.app.config;
    let official = config.official_accounts.iter().filter(|account| caller.allows(&account.appid));
    let programs = config.mini_programs.iter().filter(|program| caller.allows(&program.appid));
    let official_accounts = official.map(|account| {
        let people = count.followers.get(&account.appid).copied().unwrap_or_default();
        OfficialAccountStats {
            appid: account.appid.clone(),
            name: account.name.clone(),
            followers: people.following,
            with_unionid: people.with_unionid,
            without_unionid: people.following - people.with_unionid,
            unfollowed: people.unfollowed,
            last_good_run: count.good_runs.get(&account.appid).map(GoodRun::of),
        }
    });
    let mini_programs = programs.map(|program| {
        let people = count.users.get(&program.appid).copied().unwrap_or_default();
        MiniProgramStats {
            appid: program.appid.clone(),
            name: program.name.clone(),
            users: people.all,
            with_unionid: people.with_unionid,
            without_unionid: people.all - people.with_unionid,
        }
    });
    Ok(Json(StatsResponse {
        counted_at: count.counted_at,
        official_accounts: official_accounts.collect(),
        mini_programs: mini_programs.collect(),
    }))
}

impl GoodRun {
    fn of(run: &Run) -> Self {
        Self { id: run.id, started_at: run.started_at, finished_at: run.finished_at }
    }
}
