//! WeChat's callbacks: authenticated by their signature, and answered after their effect is committed.

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

/// The response that stops WeChat from repeating a callback.
const SUCCESS: &str = "success";

/// Plain text that no browser interprets as a page, since it may echo a parameter.
type Text = ([(HeaderName, &'static str); 2], String);

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().routes(routes!(check_callback_url, receive_callback))
}

/// Verify the callback URL
///
/// WeChat calls this when the URL is entered in its console. Enter
/// `https://YOUR-HOST/v1/callbacks/{appid}`, with the account's `callback_token` as Token and its
/// `encoding_aes_key` as EncodingAESKey.
#[utoipa::path(
    get, path = "/v1/callbacks/{appid}", tag = "callbacks",
    params(
        ("appid" = String, Path, description = "The AppID of the account",
            pattern = r"^[A-Za-z0-9_-]{1,64}$"),
        ("signature" = Option<String>, Query,
            description = "WeChat's signature of Token, `timestamp` and `nonce`"),
        ("timestamp" = Option<String>, Query, description = "Part of the signed text"),
        ("nonce" = Option<String>, Query, description = "Part of the signed text"),
        ("echostr" = Option<String>, Query, description = "The text to respond with"),
    ),
    responses(
        (status = 200, description = "The value of `echostr`", body = String, content_type = "text/plain"),
        (status = 403, description = "`callback_forged`: the signature does not match the account's \
            `callback_token`"),
        (status = 404, description = "`callback_unknown`: the account is not configured, or has no \
            `callback_token`"),
    )
)]
async fn check_callback_url(
    State(context): State<Context>,
    Path(appid): Path<AppId>,
    RawQuery(query): RawQuery,
) -> Result<Text, Problem> {
    Ok(text(context.app.inbox.echo(&appid, &query.unwrap_or_default())?))
}

/// Receive an event or a message
///
/// WeChat calls this. Accepts plain, compatible and safe mode, in XML or JSON; if an `encoding_aes_key` is
/// configured, only encrypted callbacks. An event that WeChat sends several times takes effect once. The
/// response is `success` after its effect is committed.
#[utoipa::path(
    post, path = "/v1/callbacks/{appid}", tag = "callbacks",
    params(
        ("appid" = String, Path, description = "The AppID of the account",
            pattern = r"^[A-Za-z0-9_-]{1,64}$"),
        ("signature" = Option<String>, Query,
            description = "WeChat's signature of Token, `timestamp` and `nonce`"),
        ("timestamp" = Option<String>, Query, description = "Part of the signed text"),
        ("nonce" = Option<String>, Query, description = "Part of the signed text"),
        ("encrypt_type" = Option<String>, Query, description = "`aes` if the body is encrypted"),
        ("msg_signature" = Option<String>, Query,
            description = "WeChat's signature of the encrypted body"),
    ),
    request_body(content = String, content_type = "text/xml", description = "At most 64 KiB"),
    responses(
        (status = 200, description = "The text `success`", body = String, content_type = "text/plain"),
        (status = 400, description = "`callback_malformed`: the body cannot be parsed"),
        (status = 403, description = "`callback_forged`: the signature does not match the account's \
            `callback_token`, or the callback is for another account, or is not encrypted as configured"),
        (status = 404, description = "`callback_unknown`: the account is not configured, or has no \
            `callback_token`"),
        (status = 503, description = "`database_unavailable`: the event was not stored; WeChat repeats it"),
    )
)]
async fn receive_callback(
    State(context): State<Context>,
    Path(appid): Path<AppId>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Text, Problem> {
    // The signature is checked before the body is read.
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
        problem.maybe_hint(hint)
    }
}
