//! `POST /v1/login`: called by the backend of a Mini Program with the code of `wx.login`.

use std::time::Duration;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::Json;
use crate::http::error::Problem;
use crate::http::parameters::{Nothing, Query};
use crate::login::{Answer, Error, Request};
use crate::model::{AppId, OpenId, UnionId};

/// `Retry-After` of `login_rate_limited`: WeChat limits a user's logins per minute.
const USER_RETRY: Duration = Duration::from_secs(60);

/// `Retry-After` while too many logins wait for WeChat.
const BUSY_RETRY: Duration = Duration::from_secs(1);

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().routes(routes!(log_in))
}

/// A login code to exchange
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LoginRequest {
    /// The `code` that `wx.login` returned, unchanged. Valid once, for five minutes
    #[schema(min_length = 1, max_length = 128, pattern = "^[!-~]+$")]
    code: String,
    /// The AppID of the Mini Program; optional if exactly one is configured
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    appid: Option<AppId>,
    /// `encryptedData` of `wx.getUserInfo`, called after this `wx.login`: a second source of the unionid.
    /// Requires `iv`
    encrypted_data: Option<String>,
    /// `iv` of the same `wx.getUserInfo`. Requires `encrypted_data`
    iv: Option<String>,
}

/// The user who logged in
#[derive(Serialize, ToSchema)]
struct LoginResponse {
    /// The AppID of the Mini Program
    #[schema(value_type = String)]
    appid: AppId,
    /// The user's openid in the Mini Program
    #[schema(value_type = String)]
    openid: OpenId,
    /// The user's unionid, the same in all accounts; null if WeChat has not returned it, usually because
    /// the Mini Program is not bound to an Open Platform account
    #[schema(value_type = Option<String>)]
    unionid: Option<UnionId>,
    /// Whether this is the user's first login to this Mini Program that the service has seen
    new_user: bool,
    /// The Official Accounts that the user follows or followed, and that the API key may access
    official_accounts: Vec<LoginOfficialAccount>,
}

/// A user in an Official Account
#[derive(Serialize, ToSchema)]
struct LoginOfficialAccount {
    /// The AppID of the Official Account
    #[schema(value_type = String)]
    appid: AppId,
    /// The user's openid in the Official Account
    #[schema(value_type = String)]
    openid: OpenId,
    /// Whether the user follows the account
    subscribed: bool,
}

/// Exchange a login code of a Mini Program
///
/// Each code is exchanged with WeChat once. Repeating the request with the same code and API key within a
/// minute returns the same response; with another API key the code counts as used. After a 504 the exchange
/// continues, so repeat the request with the same code to get its result. The response never contains the
/// session key.
#[utoipa::path(
    post, path = "/v1/login", tag = "login", security(("api_key" = ["login"])),
    request_body = LoginRequest,
    responses(
        (status = 200, body = LoginResponse),
        (status = 400, description = "`login_code_invalid`: the code is malformed, expired, or of another \
            Mini Program; have the client call `wx.login` again. `encrypted_data_invalid`: \
            `encrypted_data` and `iv` do not belong to this login, or are too old; call `wx.login` and \
            `wx.getUserInfo` again. `mini_program_needed`: several Mini Programs are configured; name one \
            with `appid`. `invalid_json`, `invalid_body`: the body is malformed"),
        (status = 403, description = "`login_user_blocked`: WeChat blocks the user as a risk; do not \
            retry. `scope_missing`, `app_not_allowed`: the API key lacks the scope, or may not access the \
            Mini Program"),
        (status = 404, description = "`mini_program_unknown`: the Mini Program is not configured"),
        (status = 409, description = "`login_code_used`: the code was used before; have the client call \
            `wx.login` again"),
        (status = 429, description = "`login_rate_limited`: WeChat limits how often this user logs in. \
            `login_codes_refused`: WeChat refused too many codes sent with this API key. `rate_limited`: the \
            API key exceeded its rate limit. Wait for `Retry-After`"),
        (status = 502, description = "`wechat_refused`: WeChat refuses the Mini Program until an operator \
            has acted; `hint` and `upstream` say why. `wechat_not_understood`: WeChat's response could \
            not be parsed"),
        (status = 503, description = "`wechat_busy`, `login_busy`: WeChat is overloaded, or too many \
            logins wait for it. `wechat_quota_spent`: the daily quota is used up. `database_unavailable`: \
            the database failed. `hint` says whether to repeat the request with the same code or a new \
            one"),
        (status = 504, description = "`wechat_too_slow`: WeChat did not respond in time; repeat the \
            request with the same code"),
    )
)]
async fn log_in(
    caller: Caller<auth::Login>,
    _: Query<Nothing>,
    State(context): State<Context>,
    Json(request): Json<LoginRequest>,
) -> Result<Json<LoginResponse>, Problem> {
    let LoginRequest { code, appid, encrypted_data, iv } = request;
    let login = &context.app.login;
    let appid = login.program(appid.as_ref())?.clone();
    caller.require_app(&appid)?;
    let request = Request { appid: Some(appid), code, encrypted_data, iv };
    let answer = login.exchange(caller.owner(), request).await?;
    Ok(Json(to_response(&caller, answer)))
}

fn to_response(caller: &Caller<auth::Login>, answer: Answer) -> LoginResponse {
    let Answer { appid, openid, unionid, new_user, official_accounts } = answer;
    let visible = official_accounts.into_iter().filter(|account| caller.allows(&account.appid));
    let official_accounts = visible.map(|account| LoginOfficialAccount {
        appid: account.appid,
        openid: account.openid,
        subscribed: account.subscribed,
    });
    let official_accounts = official_accounts.collect();
    LoginResponse { appid, openid, unionid, new_user, official_accounts }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (hint, upstream) = (error.hint(), error.upstream().cloned());
        let detail = error.to_string();
        let problem = match error {
            Error::Store(error) => return Self::from(&*error).maybe_hint(hint),
            Error::Seal(error) => return Self::internal(&error),
            Error::Account(unclear) => return unclear.into(),
            Error::NoCode(_) | Error::CodeInvalid { .. } => {
                Self::bad_request("login_code_invalid", detail)
            }
            Error::SealedDataIncomplete | Error::SealedData(_) | Error::SealedDataOld => {
                Self::bad_request("encrypted_data_invalid", detail)
            }
            Error::UserBlocked { .. } => Self::forbidden("login_user_blocked", detail),
            Error::CodeUsed { .. } => Self::conflict("login_code_used", detail),
            Error::RateLimited { .. } => {
                Self::too_many_requests("login_rate_limited", detail, USER_RETRY)
            }
            Error::TooManyRefused { retry_after } => {
                Self::too_many_requests("login_codes_refused", detail, retry_after)
            }
            Error::TooManyAtOnce => Self::unavailable("login_busy", detail, BUSY_RETRY),
            Error::TimedOut => Self::gateway_timeout("wechat_too_slow", detail),
            Error::Wechat(source) => {
                Self::wechat(source.failure_kind(), detail).caused_by(&*source)
            }
        };
        problem.maybe_upstream(upstream.as_ref()).maybe_hint(hint)
    }
}
