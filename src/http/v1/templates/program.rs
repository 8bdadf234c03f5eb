//! `/v1/mini-programs/{appid}/templates`: the templates of a Mini Program's subscribe messages.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::NoContent;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{
    LibraryId, MiniProgramRefusals, TemplateAddedResponse, TemplateKind, WechatRefusals, respond,
};
use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::Json;
use crate::http::error::Problem;
use crate::http::paging::{Page, PageQuery};
use crate::http::parameters::{Nothing, Path, Query};
use crate::http::v1::single_line::Line;
use crate::model::{AppId, TemplateId};
use crate::push::SubscribeTemplate;

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default()
        .routes(routes!(list_subscribe_templates, add_subscribe_template))
        .routes(routes!(delete_subscribe_template))
}

/// A template of a Mini Program
#[derive(Debug, Serialize, ToSchema)]
pub struct SubscribeTemplateResponse {
    /// The id of the template, for `template_id` of a message
    #[schema(value_type = String)]
    template_id: TemplateId,
    /// The title of the template
    title: String,
    /// The content, with a placeholder `{{key.DATA}}` for each text of a message; WeChat returns an empty
    /// content for some templates
    content: String,
    /// The content with example texts
    example: String,
    /// How often the template can be sent to a user who consents; null if WeChat does not return it
    #[schema(required = true)]
    kind: Option<TemplateKind>,
    /// The keys that the `data` of a message must have a text for
    keys: Vec<String>,
}

/// A template to add
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddSubscribeTemplateRequest {
    /// The id of the template in WeChat's library
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    tid: LibraryId,
    /// The ids of two to five keywords of the template, in the order in which they appear in the message
    #[schema(min_items = 2, max_items = 5)]
    keyword_ids: Vec<i64>,
    /// The purpose of the messages, which is displayed to users
    #[schema(value_type = String, min_length = 1, max_length = 15)]
    scene: Line<15>,
}

/// List the templates of a Mini Program
#[utoipa::path(
    get, path = "/v1/mini-programs/{appid}/templates", tag = "templates",
    security(("api_key" = ["templates"])),
    params(("appid" = String, Path, description = "The AppID of the Mini Program",
        pattern = r"^[A-Za-z0-9_-]{1,64}$"), PageQuery),
    responses(
        (status = 200, body = Page<SubscribeTemplateResponse>),
        MiniProgramRefusals,
        WechatRefusals,
    )
)]
async fn list_subscribe_templates(
    caller: Caller<auth::Templates>,
    State(context): State<Context>,
    Path(appid): Path<AppId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<SubscribeTemplateResponse>>, Problem> {
    caller.require_app(&appid)?;
    let templates = respond(context.app.push.subscribe_templates(&appid)).await?;
    Ok(Json(query.page(templates, SubscribeTemplateResponse::from)))
}

/// Add a template to a Mini Program
///
/// Adds a template of WeChat's template library. Not idempotent: after a lost response, check the list.
#[utoipa::path(
    post, path = "/v1/mini-programs/{appid}/templates", tag = "templates",
    security(("api_key" = ["templates"])),
    params(("appid" = String, Path, description = "The AppID of the Mini Program",
        pattern = r"^[A-Za-z0-9_-]{1,64}$")),
    request_body = AddSubscribeTemplateRequest,
    responses(
        (status = 201, description = "The template is added", body = TemplateAddedResponse),
        MiniProgramRefusals,
        WechatRefusals,
    )
)]
async fn add_subscribe_template(
    caller: Caller<auth::Templates>,
    State(context): State<Context>,
    Path(appid): Path<AppId>,
    _: Query<Nothing>,
    Json(request): Json<AddSubscribeTemplateRequest>,
) -> Result<(StatusCode, Json<TemplateAddedResponse>), Problem> {
    caller.require_app(&appid)?;
    let AddSubscribeTemplateRequest { tid: LibraryId(tid), keyword_ids, scene } = request;
    let (push, scene) = (&context.app.push, String::from(scene));
    let added = respond(push.add_subscribe_template(&appid, &tid, &keyword_ids, &scene));
    let template_id = added.await?;
    Ok((StatusCode::CREATED, Json(TemplateAddedResponse { template_id })))
}

/// Delete a template of a Mini Program
///
/// Queued messages that use the template will fail.
#[utoipa::path(
    delete, path = "/v1/mini-programs/{appid}/templates/{template_id}", tag = "templates",
    security(("api_key" = ["templates"])),
    params(
        ("appid" = String, Path, description = "The AppID of the Mini Program",
        pattern = r"^[A-Za-z0-9_-]{1,64}$"),
        ("template_id" = String, Path, description = "The id of the template",
            pattern = r"^[A-Za-z0-9_-]{1,64}$"),
    ),
    responses((status = 204, description = "The template is deleted"), MiniProgramRefusals, WechatRefusals)
)]
async fn delete_subscribe_template(
    caller: Caller<auth::Templates>,
    State(context): State<Context>,
    Path((appid, template_id)): Path<(AppId, TemplateId)>,
    _: Query<Nothing>,
) -> Result<NoContent, Problem> {
    caller.require_app(&appid)?;
    respond(context.app.push.delete_subscribe_template(&appid, &template_id)).await?;
    Ok(NoContent)
}

impl From<SubscribeTemplate> for SubscribeTemplateResponse {
    fn from(template: SubscribeTemplate) -> Self {
        let keys = template.keys().into_iter().map(str::to_owned).collect();
        let SubscribeTemplate { id, title, content, example, kind } = template;
        Self { template_id: id, title, content, example, kind: TemplateKind::of(kind), keys }
    }
}
