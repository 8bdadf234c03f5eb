//! What a person said to an account's message templates.

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
use crate::http::paging::{Limit, MOST_CUT, Page, Position};
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
    /// The Mini Program or Official Account
    #[param(value_type = String, pattern = r"^[A-Za-z0-9_-]{1,64}$")]
    appid: AppId,
    /// The person in it
    #[param(value_type = String, pattern = r"^[A-Za-z0-9_-]{1,64}$")]
    openid: OpenId,
    /// How many at most; 100 where it is not said
    #[param(value_type = Option<u64>, minimum = 1, maximum = 1000)]
    limit: Option<Limit<MOST_CUT>>,
    /// The `next_cursor` of the page before
    #[param(value_type = Option<String>, pattern = "^p[0-7][0-9a-f]{15}$")]
    cursor: Option<Position>,
}

/// What a person said to one template
#[derive(Serialize, ToSchema)]
struct ConsentResponse {
    /// The template
    #[schema(value_type = String)]
    template_id: TemplateId,
    /// `accept`, `reject`, `ban`, `filter` as WeChat tells it, or `refused` where a message was not taken
    /// for want of consent
    #[schema(value_type = String, pattern = "^(accept|reject|ban|filter|refused)$")]
    status: Consent,
    /// When
    changed_at: DateTime<Utc>,
}

/// What a person said to message templates
///
/// The latest word to each template of one account, by template, as far as WeChat has told it: by an event when they answer a prompt or change a setting,
/// or by refusing a message.
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
    Query(asked): Query<ConsentsQuery>,
) -> Result<Json<Page<ConsentResponse>>, Problem> {
    let ConsentsQuery { appid, openid, limit, cursor } = asked;
    accounts::meant(&context, &caller, AccountKind::Any, Some(&appid))?;
    let said = context.app.push.consents(&appid, &openid).await?;
    let response = |ConsentView { template_id, status, changed_at }| ConsentResponse {
        template_id,
        status,
        changed_at,
    };
    Ok(Json(Page::cut(said, limit, cursor, response)))
}
