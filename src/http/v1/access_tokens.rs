//! The central token server: the company's other programs that call WeChat get their access tokens here.
//!
//! Every read is in the audit trail before the token is returned. A token is served while WeChat accepts
//! it, renewed before it expires, and replaced once for all callers if one of them saw WeChat refuse it.

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

/// The longest time a caller waits. WeChat usually answers within 100 ms.
const DEADLINE: Duration = Duration::from_secs(10);

/// `Retry-After` while another system keeps replacing the tokens.
const CONTESTED_RETRY: Duration = Duration::from_secs(300);

/// The longest accepted token. WeChat's documentation says that tokens have up to 512 characters.
const MAX_TOKEN_BYTES: usize = 1_024;

const UNKNOWN: &str = "`token_api_off`: the token API is disabled. `account_unknown`: the account is not \
    configured";
const REFUSED: &str = "`wechat_refused`: WeChat issues no token until an operator has acted; `hint` and \
    `upstream` say why. `wechat_not_understood`: WeChat's response could not be parsed";
const UNAVAILABLE: &str = "`wechat_busy`: WeChat is overloaded. `wechat_quota_spent`: the daily quota is \
    used up. `token_contested`: WeChat refused two refreshed tokens within ten minutes, because another \
    system also refreshes them. `database_unavailable`: the database failed. Repeat the request after \
    `Retry-After`";
const TOO_SLOW: &str = "`wechat_too_slow`: WeChat did not respond within 10 s. Repeat the request";

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default()
        .routes(routes!(read_access_token))
        .routes(routes!(refresh_access_token))
}

/// The access token of an account
#[derive(Serialize, ToSchema)]
struct AccessTokenResponse {
    /// The AppID of the account
    #[schema(value_type = String)]
    appid: AppId,
    /// The token, of up to 512 characters. A secret: it allows every call on behalf of the account
    access_token: String,
    /// Seconds until the token expires
    expires_in: u64,
    /// When the token expires
    expires_at: DateTime<Utc>,
    /// When WeChat issued the token
    obtained_at: DateTime<Utc>,
}

/// The access token that WeChat refused
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefreshAccessTokenRequest {
    /// The token of the call that failed with errcode 40001, 40014 or 42001
    #[schema(value_type = String, min_length = 1, max_length = 1024, pattern = "^[!-~]+$")]
    stale: StaleToken,
}

/// A token as the caller sent it. Error messages never quote it.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct StaleToken(SecretString);

impl TryFrom<String> for StaleToken {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        if (1..=MAX_TOKEN_BYTES).contains(&text.len()) && is_plain {
            return Ok(Self(text.into()));
        }
        Err("an access token must have 1 to 1024 visible ASCII characters")
    }
}

/// Get the access token of an account
///
/// Get the token before each call to WeChat, or cache it for at most `expires_in` seconds. It is renewed
/// before it expires, and the previous token remains valid for five minutes after a renewal. Works for
/// Official Accounts and Mini Programs. Disabled unless the configuration sets `http.token_api = true`.
#[utoipa::path(
    get, path = "/v1/access-tokens/{appid}", tag = "access tokens",
    security(("api_key" = ["token"])),
    params(("appid" = String, Path, description = "The AppID of the account",
        pattern = r"^[A-Za-z0-9_-]{1,64}$")),
    responses(
        (status = 200, body = AccessTokenResponse),
        (status = 404, description = UNKNOWN),
        (status = 502, description = REFUSED),
        (status = 503, description = UNAVAILABLE),
        (status = 504, description = TOO_SLOW),
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
    authorize(&caller, &context, &appid, action, &request_id).await?;
    respond(context.app.tokens.show(&appid)).await
}

/// Replace an access token that WeChat refused
///
/// Send the token that failed. If a newer token exists, it is returned without calling WeChat. Otherwise the
/// token is refreshed once, however many callers request it at the same time. Then repeat the failed call
/// once with the returned token.
#[utoipa::path(
    post, path = "/v1/access-tokens/{appid}/refresh", tag = "access tokens",
    security(("api_key" = ["token"])),
    params(("appid" = String, Path, description = "The AppID of the account",
        pattern = r"^[A-Za-z0-9_-]{1,64}$")),
    request_body = RefreshAccessTokenRequest,
    responses(
        (status = 200, body = AccessTokenResponse),
        (status = 404, description = UNKNOWN),
        (status = 502, description = REFUSED),
        (status = 503, description = UNAVAILABLE),
        (status = 504, description = TOO_SLOW),
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
    authorize(&caller, &context, &appid, action, &request_id).await?;
    let stale = request.stale.0.expose_secret();
    respond(context.app.tokens.replace_stale(&appid, stale)).await
}

/// Checks that the caller may get the token, and records that in the audit trail before the token is
/// returned: no token leaves unrecorded.
async fn authorize(
    caller: &Caller<auth::Token>,
    context: &Context,
    appid: &AppId,
    action: audit::Action,
    request_id: &RequestId,
) -> Result<(), Problem> {
    if !context.app.config.http.token_api {
        let detail = "the access token API is disabled";
        return Err(Problem::not_found("token_api_off", detail)
            .hint("set `token_api = true` under [http] in the configuration, and restart"));
    }
    accounts::select(context, caller, AccountKind::Any, Some(appid))?;
    let (writer, subject) = (context.app.store.writer(), Some(appid.as_str()));
    let written = audit::record(writer, caller.id(), action, subject, Some(request_id.as_str()));
    Ok(store::in_time(written).await?)
}

async fn respond(
    token: impl Future<Output = Result<TokenStatus, Error>>,
) -> Result<Json<AccessTokenResponse>, Problem> {
    let status = tokio::time::timeout(DEADLINE, token).await.map_err(|_| too_slow())??;
    Ok(Json(status.into()))
}

fn too_slow() -> Problem {
    Problem::gateway_timeout("wechat_too_slow", "WeChat did not issue an access token in time")
        .hint("try again: a token that is already stored is returned without calling WeChat")
}

impl From<TokenStatus> for AccessTokenResponse {
    fn from(status: TokenStatus) -> Self {
        let TokenStatus { appid, access_token, expires_in, expires_at, obtained_at } = status;
        Self { appid, access_token, expires_in, expires_at, obtained_at }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        let problem = match (error.failure_kind(), &error) {
            (Some(FailureKind::Timeout), _) => too_slow(),
            (Some(FailureKind::QuotaUsedUp), Error::Contested(_)) => {
                Self::unavailable("token_contested", detail, CONTESTED_RETRY)
            }
            (Some(failure_kind), _) => Self::wechat(failure_kind, detail),
            (None, Error::Unknown(_)) => Self::not_found("account_unknown", detail),
            (None, _) => match error {
                Error::Store(error) => return error.into(),
                error => return Self::internal(&error),
            },
        };
        let problem = problem.maybe_upstream(error.upstream()).maybe_hint(error.hint());
        match &error {
            Error::Wechat { source, .. } => problem.caused_by(source),
            _ => problem,
        }
    }
}
