//! `/v1/official-accounts/{appid}/templates`: the templates of an Official Account's template messages.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::NoContent;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{LibraryId, OfficialAccountRefusals, TemplateAddedResponse, WechatRefusals, respond};
use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::Json;
use crate::http::error::Problem;
use crate::http::paging::{Page, PageQuery};
use crate::http::parameters::{Nothing, Path, Query};
use crate::http::v1::single_line::Line;
use crate::model::{AppId, TemplateId};
use crate::push::Template;

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default()
        .routes(routes!(list_templates, add_template))
        .routes(routes!(delete_template))
}

/// A template of an Official Account
#[derive(Debug, Serialize, ToSchema)]
pub struct TemplateResponse {
    /// The id of the template, for `template_id` of a message
    #[schema(value_type = String)]
    template_id: TemplateId,
    /// The title of the template
    title: String,
    /// The content, with a placeholder `{{key.DATA}}` for each text of a message
    content: String,
    /// The content with example texts
    example: String,
    /// The keys that the `data` of a message must have a text for
    keys: Vec<String>,
}

/// A template to add
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddTemplateRequest {
    /// The id of the template in WeChat's library, such as `OPENTM207498902` or `43216`
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    template_id_short: LibraryId,
    /// The names of the keywords to include, in this order; required if the id has only digits
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    keyword_name_list: Vec<Line<64>>,
}

/// List the templates of an Official Account
#[utoipa::path(
    get, path = "/v1/official-accounts/{appid}/templates", tag = "templates",
    security(("api_key" = ["templates"])),
    params(("appid" = String, Path, description = "The AppID of the Official Account",
        pattern = r"^[A-Za-z0-9_-]{1,64}$"), PageQuery),
    responses(
        (status = 200, body = Page<TemplateResponse>),
        OfficialAccountRefusals,
        WechatRefusals,
    )
)]
async fn list_templates(
    caller: Caller<auth::Templates>,
    State(context): State<Context>,
    Path(appid): Path<AppId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<TemplateResponse>>, Problem> {
    caller.require_app(&appid)?;
    let templates = respond(context.app.push.templates(&appid)).await?;
    Ok(Json(query.page(templates, TemplateResponse::from)))
}

/// Add a template to an Official Account
///
/// Adds a template of WeChat's template library. Not idempotent: after a lost response, check the list.
#[utoipa::path(
    post, path = "/v1/official-accounts/{appid}/templates", tag = "templates",
    security(("api_key" = ["templates"])),
    params(("appid" = String, Path, description = "The AppID of the Official Account",
        pattern = r"^[A-Za-z0-9_-]{1,64}$")),
    request_body = AddTemplateRequest,
    responses(
        (status = 201, description = "The template is added", body = TemplateAddedResponse),
        OfficialAccountRefusals,
        WechatRefusals,
    )
)]
async fn add_template(
    caller: Caller<auth::Templates>,
    State(context): State<Context>,
    Path(appid): Path<AppId>,
    _: Query<Nothing>,
    Json(request): Json<AddTemplateRequest>,
) -> Result<(StatusCode, Json<TemplateAddedResponse>), Problem> {
    caller.require_app(&appid)?;
    let AddTemplateRequest { template_id_short: LibraryId(library_id), keyword_name_list } =
        request;
    let keywords: Vec<String> = keyword_name_list.into_iter().map(String::from).collect();
    let added = respond(context.app.push.add_template(&appid, &library_id, &keywords));
    let template_id = added.await?;
    Ok((StatusCode::CREATED, Json(TemplateAddedResponse { template_id })))
}

/// Delete a template of an Official Account
///
/// Queued messages that use the template will fail.
#[utoipa::path(
    delete, path = "/v1/official-accounts/{appid}/templates/{template_id}", tag = "templates",
    security(("api_key" = ["templates"])),
    params(
        ("appid" = String, Path, description = "The AppID of the Official Account",
        pattern = r"^[A-Za-z0-9_-]{1,64}$"),
        ("template_id" = String, Path, description = "The id of the template",
            pattern = r"^[A-Za-z0-9_-]{1,64}$"),
    ),
    responses(
        (status = 204, description = "The template is deleted"),
        OfficialAccountRefusals,
        WechatRefusals,
    )
)]
async fn delete_template(
    caller: Caller<auth::Templates>,
    State(context): State<Context>,
    Path((appid, template_id)): Path<(AppId, TemplateId)>,
    _: Query<Nothing>,
) -> Result<NoContent, Problem> {
    caller.require_app(&appid)?;
    respond(context.app.push.delete_template(&appid, &template_id)).await?;
    Ok(NoContent)
}

impl From<Template> for TemplateResponse {
    fn from(template: Template) -> Self {
        let keys = template.keys().into_iter().map(str::to_owned).collect();
        let Template { id, title, content, example } = template;
        Self { template_id: id, title, content, example, keys }
    }
}
