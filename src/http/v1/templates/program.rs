//! `/v1/mini-programs/{appid}/templates`: the templates of a Mini Program's subscribe messages.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::NoContent;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{
    LibraryNumber, MiniProgramRefusals, TemplateAddedResponse, TemplateKind, WechatRefusals, answer,
};
use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::Json;
use crate::http::error::Problem;
use crate::http::paging::{CutQuery, Page};
use crate::http::parameters::{Nothing, Path, Query};
use crate::http::v1::line::Line;
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
    /// What messages name it by
    #[schema(value_type = String)]
    template_id: TemplateId,
    /// Its title
    title: String,
    /// Its lines, in which `{{key.DATA}}` stands where a message's text goes; WeChat leaves it empty for
    /// some
    content: String,
    /// The lines with texts
    example: String,
    /// How often it can be sent to whoever accepts it; null where WeChat does not say
    #[schema(required = true)]
    kind: Option<TemplateKind>,
    /// The keys that a message gives texts for
    keys: Vec<String>,
}

/// A template to add
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddSubscribeTemplateRequest {
    /// Its number in WeChat's library
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    tid: LibraryNumber,
    /// Two to five of its keywords, in the order in which they are to stand
    #[schema(min_items = 2, max_items = 5)]
    keyword_ids: Vec<i64>,
    /// What it is for, as the user reads it
    #[schema(value_type = String, min_length = 1, max_length = 15)]
    scene: Line<15>,
}

/// Templates of a Mini Program
#[utoipa::path(
    get, path = "/v1/mini-programs/{appid}/templates", tag = "templates",
    security(("api_key" = ["templates"])),
    params(("appid" = String, Path, pattern = r"^[A-Za-z0-9_-]{1,64}$"), CutQuery),
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
    Query(asked): Query<CutQuery>,
) -> Result<Json<Page<SubscribeTemplateResponse>>, Problem> {
    caller.may_name(&appid)?;
    let templates = answer(context.app.push.subscribe_templates(&appid)).await?;
    Ok(Json(asked.page(templates, SubscribeTemplateResponse::from)))
}

/// Add a template of WeChat's library to a Mini Program
#[utoipa::path(
    post, path = "/v1/mini-programs/{appid}/templates", tag = "templates",
    security(("api_key" = ["templates"])),
    params(("appid" = String, Path, pattern = r"^[A-Za-z0-9_-]{1,64}$")),
    request_body = AddSubscribeTemplateRequest,
    responses(
        (status = 201, description = "Added", body = TemplateAddedResponse),
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
    caller.may_name(&appid)?;
    let AddSubscribeTemplateRequest { tid: LibraryNumber(tid), keyword_ids, scene } = request;
    let (push, scene) = (&context.app.push, String::from(scene));
    let added = answer(push.add_subscribe_template(&appid, &tid, &keyword_ids, &scene));
    let template_id = added.await?;
    Ok((StatusCode::CREATED, Json(TemplateAddedResponse { template_id })))
}

/// Delete a template of a Mini Program
///
/// Messages of it that were accepted and not sent yet will fail.
#[utoipa::path(
    delete, path = "/v1/mini-programs/{appid}/templates/{template_id}", tag = "templates",
    security(("api_key" = ["templates"])),
    params(
        ("appid" = String, Path, pattern = r"^[A-Za-z0-9_-]{1,64}$"),
        ("template_id" = String, Path, pattern = r"^[A-Za-z0-9_-]{1,64}$"),
    ),
    responses((status = 204, description = "Deleted"), MiniProgramRefusals, WechatRefusals)
)]
async fn delete_subscribe_template(
    caller: Caller<auth::Templates>,
    State(context): State<Context>,
    Path((appid, template_id)): Path<(AppId, TemplateId)>,
    _: Query<Nothing>,
) -> Result<NoContent, Problem> {
    caller.may_name(&appid)?;
    answer(context.app.push.delete_subscribe_template(&appid, &template_id)).await?;
    Ok(NoContent)
}

impl From<SubscribeTemplate> for SubscribeTemplateResponse {
    fn from(template: SubscribeTemplate) -> Self {
        let keys = template.keys().into_iter().map(str::to_owned).collect();
        let SubscribeTemplate { id, title, content, example, kind } = template;
        Self { template_id: id, title, content, example, kind: TemplateKind::of(kind), keys }
    }
}
