//! The central token server: whoever else in the company calls WeChat takes the account's token here.
//!
//! Every read is in the audit trail before the token is given. A token is served for as long as WeChat
//! accepts it, renewed ahead of time, and replaced once for everybody where somebody saw it refused.

use std::time::Duration;

use axum::extract::State;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::Json;
use crate::http::error::Problem;
use crate::http::observe::RequestId;
use crate::http::parameters::{Nothing, Path, Query};
use crate::model::{AccountKind, AppId};
use crate::store::{self, audit};
use crate::token::{Error, TokenStatus};
use crate::wechat::FailureKind;

use super::accounts;

/// How long a caller waits at most: WeChat's answer usually takes a tenth of a second.
const DEADLINE: Duration = Duration::from_secs(10);

/// How soon to try again where somebody else replaces the tokens.
const CONTESTED_RETRY: Duration = Duration::from_secs(300);

/// WeChat asks for room for 512 characters.
const LONGEST_TOKEN: usize = 1_024;

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default()
        .routes(routes!(read_access_token))
        .routes(routes!(refresh_access_token))
}

/// An account's access token
#[derive(Serialize, ToSchema)]
struct AccessTokenResponse {
    /// The account
    #[schema(value_type = String)]
    appid: AppId,
    /// The token, up to 512 characters; whoever has it can act as the account
    access_token: String,
    /// Seconds left
    expires_in: u64,
    /// When it expires
    expires_at: DateTime<Utc>,
    /// When WeChat gave it
    obtained_at: DateTime<Utc>,
}

/// What the caller saw WeChat refuse
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefreshAccessTokenRequest {
    /// The token that WeChat refused with 40001, 40014 or 42001
    #[schema(value_type = String, min_length = 1, max_length = 1024, pattern = "^[!-~]+$")]
    stale: StaleToken,
}

/// A token as somebody says that it was. Whatever is wrong with it, it is not repeated.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct StaleToken(SecretString);

impl TryFrom<String> for StaleToken {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        if (1..=LONGEST_TOKEN).contains(&text.len()) && is_plain {
            return Ok(Self(text.into()));
        }
        Err("an access token has 1 to 1024 visible ASCII characters")
    }
}

/// An account's access token
///
/// Take it from here before each call, or keep it for no longer than `expires_in`. It is renewed ahead of
/// time; the one before stays good for the five minutes that follow. Works for Official Accounts and Mini
/// Programs. Off unless `http.token_api = true`.
#[utoipa::path(
    get, path = "/v1/access-tokens/{appid}", tag = "access tokens",
    security(("api_key" = ["token"])),
    params(("appid" = String, Path, pattern = r"^[A-Za-z0-9_-]{1,64}$")),
    responses(
        (status = 200, body = AccessTokenResponse),
        (status = 404, description = "`token_api_off`: tokens are not given out here; \
            `account_unknown`: the account is not configured"),
        (status = 502, description = "`wechat_refused`: WeChat gives no token until an operator has \
            acted; `wechat_not_understood`: its answer cannot be read"),
        (status = 503, description = "`wechat_busy`, `wechat_quota_spent`, `token_contested`, or the \
            database does not answer"),
        (status = 504, description = "`wechat_too_slow`: WeChat has not answered in time"),
    )
)]
async fn read_access_token(
    caller: Caller<auth::Token>,
    State(context): State<Context>,
    request_id: RequestId,
    Path(appid): Path<AppId>,
    _: Query<Nothing>,
) -> Result<Json<AccessTokenResponse>, Problem> {
    let action = audit::Action::TokenRead;
    admit(&caller, &context, &appid, action, &request_id).await?;
    answer(context.app.tokens.show(&appid)).await
}

/// Replace an access token that WeChat refused
///
/// Give the token that failed. If there is a newer one by now, it is the answer and WeChat is not asked;
/// otherwise one refresh is made for everybody, however many ask. Repeat the failed call once with the
/// answer.
#[utoipa::path(
    post, path = "/v1/access-tokens/{appid}/refresh", tag = "access tokens",
    security(("api_key" = ["token"])),
    params(("appid" = String, Path, pattern = r"^[A-Za-z0-9_-]{1,64}$")),
    request_body = RefreshAccessTokenRequest,
    responses(
        (status = 200, body = AccessTokenResponse),
        (status = 404, description = "`token_api_off`: tokens are not given out here; \
            `account_unknown`: the account is not configured"),
        (status = 502, description = "`wechat_refused`: WeChat gives no token until an operator has \
            acted; `wechat_not_understood`: its answer cannot be read"),
        (status = 503, description = "`wechat_busy`, `wechat_quota_spent`, `token_contested` (refreshed \
            twice within ten minutes and refused again), or the database does not answer"),
        (status = 504, description = "`wechat_too_slow`: WeChat has not answered in time"),
    )
)]
async fn refresh_access_token(
    caller: Caller<auth::Token>,
    State(context): State<Context>,
    request_id: RequestId,
    Path(appid): Path<AppId>,
    _: Query<Nothing>,
    Json(request): Json<RefreshAccessTokenRequest>,
) -> Result<Json<AccessTokenResponse>, Problem> {
    let action = audit::Action::TokenRefreshed;
    admit(&caller, &context, &appid, action, &request_id).await?;
    let stale = request.stale.0.expose_secret();
    answer(context.app.tokens.replace_stale(&appid, stale)).await
}

/// Whether this caller gets this account's token here at all. Writes it down if so: a token that left
/// unwritten could not be accounted for.
async fn admit(
    caller: &Caller<auth::Token>,
    context: &Context,
    appid: &AppId,
    action: audit::Action,
    request_id: &RequestId,
) -> Result<(), Problem> {
    if !context.app.config.http.token_api {
        let detail = "access tokens are not given out here";
        return Err(Problem::not_found("token_api_off", detail)
            .hint("set `token_api = true` under [http] in the configuration, and restart"));
    }
    accounts::meant(context, caller, AccountKind::Any, Some(appid))?;
    let (writer, subject) = (context.app.store.writer(), Some(appid.as_str()));
    let written = audit::record(writer, caller.id(), action, subject, Some(request_id.as_str()));
    Ok(store::in_time(written).await?)
}

async fn answer(
    asked: impl Future<Output = Result<TokenStatus, Error>>,
) -> Result<Json<AccessTokenResponse>, Problem> {
    let standing = tokio::time::timeout(DEADLINE, asked).await.map_err(|_| too_slow())??;
    Ok(Json(standing.into()))
}

fn too_slow() -> Problem {
    Problem::too_slow("wechat_too_slow", "WeChat has not given an access token in time")
        .hint("try again; a token that is there already is given without asking WeChat")
}

impl From<TokenStatus> for AccessTokenResponse {
    fn from(standing: TokenStatus) -> Self {
        let TokenStatus { appid, access_token, expires_in, expires_at, obtained_at } = standing;
        Self { appid, access_token, expires_in, expires_at, obtained_at }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        let problem = match (error.failure_kind(), &error) {
            (Some(FailureKind::TooSlow), _) => too_slow(),
            (Some(FailureKind::Spent), Error::Contested(_)) => {
                Self::unavailable("token_contested", detail, CONTESTED_RETRY)
            }
            (Some(failure_kind), _) => Self::wechat(failure_kind, detail),
            (None, Error::Unknown(_)) => Self::not_found("account_unknown", detail),
            (None, _) => match error {
                Error::Store(error) => return error.into(),
                error => return Self::internal(&error),
            },
        };
        let problem = problem.said(error.upstream()).maybe_hint(error.hint());
        match &error {
            Error::Wechat { source, .. } => problem.caused_by(source),
            _ => problem,
        }
    }
}
