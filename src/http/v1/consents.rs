//! A user's consent to the message templates of an account.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::accounts;
use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::Json;
use crate::http::error::Problem;
use crate::http::paging::{Limit, MAX_PAGE_SIZE, Page, Position};
use crate::http::parameters::Query;
use crate::model::{AccountKind, AppId, Consent, OpenId, TemplateId};
use crate::push::ConsentView;

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().routes(routes!(list_consents))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ConsentsQuery {
    /// The AppID of the Mini Program or Official Account
    #[param(value_type = String, pattern = r"^[A-Za-z0-9_-]{1,64}$")]
    appid: AppId,
    /// The user's openid in that account
    #[param(value_type = String, pattern = r"^[A-Za-z0-9_-]{1,64}$")]
    openid: OpenId,
    /// The maximum number of entries on the page; 100 by default
    #[param(value_type = Option<u64>, minimum = 1, maximum = 1000)]
    limit: Option<Limit<MAX_PAGE_SIZE>>,
    /// The `next_cursor` of the previous page; left out for the first page
    #[param(value_type = Option<String>, pattern = "^p[0-7][0-9a-f]{15}$")]
    cursor: Option<Position>,
}

/// A user's consent to one template
#[derive(Serialize, ToSchema)]
struct ConsentResponse {
    /// The id of the template
    #[schema(value_type = String)]
    template_id: TemplateId,
    /// `accept`: the user wants the messages. `reject`: the user does not want them. `ban`: WeChat has
    /// banned the template. `filter`: WeChat left the template out of the prompt. `refused`: WeChat refused
    /// a message because the user has not consented to it
    #[schema(value_type = String, pattern = "^(accept|reject|ban|filter|refused)$")]
    status: Consent,
    /// When the user or WeChat changed the status
    changed_at: DateTime<Utc>,
}

/// List a user's consents to message templates
///
/// The latest status for each template of one account, ordered by template. The service learns it from
/// WeChat's events, when the user answers a prompt or changes a setting, and from messages that WeChat
/// refuses. Templates without either are not listed.
#[utoipa::path(
    get, path = "/v1/consents", tag = "messages", security(("api_key" = ["push"])),
    params(ConsentsQuery),
    responses(
        (status = 200, body = Page<ConsentResponse>),
        (status = 404, description = "`account_unknown`: the account is not configured"),
    )
)]
async fn list_consents(
    caller: Caller<auth::Push>,
    State(context): State<Context>,
    Query(query): Query<ConsentsQuery>,
) -> Result<Json<Page<ConsentResponse>>, Problem> {
    let ConsentsQuery { appid, openid, limit, cursor } = query;
    accounts::select(&context, &caller, AccountKind::Any, Some(&appid))?;
    let consents = context.app.push.consents(&appid, &openid).await?;
    let to_response = |ConsentView { template_id, status, changed_at }| ConsentResponse {
        template_id,
        status,
        changed_at,
    };
    Ok(Json(Page::slice(consents, limit, cursor, to_response)))
}
