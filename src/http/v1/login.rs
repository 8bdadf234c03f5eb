//! `POST /v1/login`: what a Mini Program's backend calls with the code of `wx.login`.

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

/// WeChat counts a user's logins by the minute.
const USERS_MINUTE: Duration = Duration::from_secs(60);

/// How soon to try again while many wait for WeChat.
const BUSY: Duration = Duration::from_secs(1);

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().routes(routes!(log_in))
}

/// A login to exchange
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LoginRequest {
    /// What `wx.login` gave, as it is
    #[schema(min_length = 1, max_length = 128, pattern = "^[!-~]+$")]
    code: String,
    /// The Mini Program's AppID; may be left out where one is configured
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    appid: Option<AppId>,
    /// `encryptedData` of `wx.getUserInfo`, called after that `wx.login`; with `iv`
    encrypted_data: Option<String>,
    /// `iv` of `wx.getUserInfo`; with `encrypted_data`
    iv: Option<String>,
}

/// Who logged in
#[derive(Serialize, ToSchema)]
struct LoginResponse {
    /// The Mini Program
    #[schema(value_type = String)]
    appid: AppId,
    /// The user in the Mini Program
    #[schema(value_type = String)]
    openid: OpenId,
    /// The user across accounts; null where WeChat has not told it
    #[schema(value_type = Option<String>)]
    unionid: Option<UnionId>,
    /// Whether it is the user's first login here
    new_user: bool,
    /// The user in the Official Accounts that they follow or followed, as far as the API key may name
    /// them
    official_accounts: Vec<LoginOfficialAccount>,
}

/// A user in an Official Account
#[derive(Serialize, ToSchema)]
struct LoginOfficialAccount {
    /// The Official Account
    #[schema(value_type = String)]
    appid: AppId,
    /// The user in the Official Account
    #[schema(value_type = String)]
    openid: OpenId,
    /// Whether the user follows it
    subscribed: bool,
}

/// Exchange a Mini Program's login code
///
/// WeChat is asked once for each code. Asking again with the same API key within a minute gives the same
/// answer; to any other key the code is used. After 504 the exchange goes on, so that asking again with
/// the same code gives its answer. The session key is in no answer.
#[utoipa::path(
    post, path = "/v1/login", tag = "login", security(("api_key" = ["login"])),
    request_body = LoginRequest,
    responses(
        (status = 200, body = LoginResponse),
        (status = 400, description = "`login_code_invalid`: WeChat does not take the code, or it is none. \
            `encrypted_data_invalid`: not sealed in this login. `mini_program_needed`: say which one. Or \
            the body cannot be understood"),
        (status = 403, description = "`login_user_blocked`: WeChat blocks the user. Or the API key has \
            not the scope, or is for other accounts"),
        (status = 404, description = "`mini_program_unknown`: it is not configured"),
        (status = 409, description = "`login_code_used`: each code is good once"),
        (status = 429, description = "`login_rate_limited`: the user logged in too often. \
            `login_codes_refused`: too many codes of this API key were invalid. `rate_limited`: the API \
            key's limit is reached"),
        (status = 502, description = "`wechat_not_understood`: WeChat's answer cannot be read. \
            `wechat_refused`: WeChat refuses the Mini Program, an operator has to act"),
        (status = 503, description = "`wechat_busy`, `wechat_quota_spent`, `login_busy` or \
            `database_unavailable`: try again"),
        (status = 504, description = "`wechat_too_slow`: WeChat has not answered in time"),
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
    caller.may_name(&appid)?;
    let request = Request { appid: Some(appid), code, encrypted_data, iv };
    let answer = login.exchange(caller.id(), request).await?;
    Ok(Json(response(&caller, answer)))
}

fn response(caller: &Caller<auth::Login>, answer: Answer) -> LoginResponse {
    let Answer { appid, openid, unionid, new_user, official_accounts } = answer;
    let named = official_accounts.into_iter().filter(|account| caller.allows(&account.appid));
    let official_accounts = named.map(|account| LoginOfficialAccount {
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
            Error::RateLimited { .. } => Self::too_many("login_rate_limited", detail, USERS_MINUTE),
            Error::TooManyRefused { retry_after } => {
                Self::too_many("login_codes_refused", detail, retry_after)
            }
            Error::TooManyAtOnce => Self::unavailable("login_busy", detail, BUSY),
            Error::TimedOut => Self::too_slow("wechat_too_slow", detail),
            Error::Wechat(source) => {
                Self::wechat(source.failure_kind(), detail).caused_by(&*source)
            }
        };
        problem.said(upstream.as_ref()).maybe_hint(hint)
    }
}
