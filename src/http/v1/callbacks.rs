//! WeChat's callbacks: authenticated by their signature, answered once their effect is committed.

use axum::extract::{FromRequest, RawQuery, Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Context;
use crate::http::body::{CALLBACK, Raw};
use crate::http::error::Problem;
use crate::http::parameters::Path;
use crate::inbox::Error;
use crate::model::AppId;
use crate::wechat::callback;

/// What ends WeChat's repetitions.
const SUCCESS: &str = "success";

/// Text that no browser takes for a page, whatever WeChat's parameters hold.
type Text = ([(HeaderName, &'static str); 2], String);

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().routes(routes!(check_callback_url, receive_callback))
}

/// WeChat's check of the URL
///
/// Enter `https://YOUR-HOST/v1/callbacks/{appid}` in WeChat's console, with the account's
/// `callback_token` as Token and its `encoding_aes_key` as EncodingAESKey.
#[utoipa::path(
    get, path = "/v1/callbacks/{appid}", tag = "callbacks",
    params(
        ("appid" = String, Path, description = "The account's AppID", pattern = r"^[A-Za-z0-9_-]{1,64}$"),
        ("signature" = Option<String>, Query, description = "WeChat's signature"),
        ("timestamp" = Option<String>, Query, description = "Signed"),
        ("nonce" = Option<String>, Query, description = "Signed"),
        ("echostr" = Option<String>, Query, description = "What to answer with"),
    ),
    responses(
        (status = 200, description = "The `echostr`", body = String, content_type = "text/plain"),
        (status = 403, description = "`callback_forged`: not signed with the account's Token"),
        (status = 404, description = "`callback_unknown`: the account is not configured for callbacks"),
    )
)]
async fn check_callback_url(
    State(context): State<Context>,
    Path(appid): Path<AppId>,
    RawQuery(query): RawQuery,
) -> Result<Text, Problem> {
    Ok(text(context.app.inbox.echo(&appid, &query.unwrap_or_default())?))
}

/// An event or a message
///
/// In plain, compatible or safe mode, XML or JSON, as WeChat sends it. Where an `encoding_aes_key` is
/// configured, only what is encrypted is taken. Each event has its effect once, however often it comes,
/// and `success` is answered when that is committed.
#[utoipa::path(
    post, path = "/v1/callbacks/{appid}", tag = "callbacks",
    params(
        ("appid" = String, Path, description = "The account's AppID", pattern = r"^[A-Za-z0-9_-]{1,64}$"),
        ("signature" = Option<String>, Query, description = "WeChat's signature"),
        ("timestamp" = Option<String>, Query, description = "Signed"),
        ("nonce" = Option<String>, Query, description = "Signed"),
        ("encrypt_type" = Option<String>, Query, description = "`aes` where the body is encrypted"),
        ("msg_signature" = Option<String>, Query, description = "Of an encrypted body"),
    ),
    request_body(content = String, content_type = "text/xml", description = "At most 64 KiB"),
    responses(
        (status = 200, description = "`success`", body = String, content_type = "text/plain"),
        (status = 400, description = "`callback_malformed`: the body cannot be read"),
        (status = 403, description = "`callback_forged`: not signed with the account's Token, not for \
            this account, or not encrypted as configured"),
        (status = 404, description = "`callback_unknown`: the account is not configured for callbacks"),
        (status = 503, description = "The database does not answer; WeChat sends it again"),
    )
)]
async fn receive_callback(
    State(context): State<Context>,
    Path(appid): Path<AppId>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Text, Problem> {
    // Who cannot sign does not get as far as having a body read.
    let pending = context.app.inbox.admit(&appid, &query.unwrap_or_default())?;
    let Raw::<CALLBACK>(body) = Raw::from_request(request, &()).await?;
    pending.receive(&body).await?;
    Ok(text(SUCCESS.to_owned()))
}

fn text(text: String) -> Text {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8"), (X_CONTENT_TYPE_OPTIONS, "nosniff")], text)
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (hint, detail) = (error.hint(), error.to_string());
        let problem = match error {
            Error::Store(error) => return error.as_ref().into(),
            Error::UnknownAccount(_) => Self::not_found("callback_unknown", detail),
            Error::Refused(callback::Error::TooLong) => Self::too_large(CALLBACK),
            Error::Refused(refused) if refused.is_forgery() => {
                Self::forbidden("callback_forged", detail)
            }
            Error::Refused(_) => Self::bad_request("callback_malformed", detail),
        };
        match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}
