//! `/v1/official-accounts/{appid}/templates`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::NoContent;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{
    LibraryNumber, OfficialAccountRefusals, TemplateAddedResponse, WechatRefusals, answer,
};
use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::Json;
use crate::http::error::Problem;
use crate::http::paging::{CutQuery, Page};
use crate::http::parameters::{Nothing, Path, Query};
use crate::http::v1::line::Line;
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
    /// What messages name it by
    #[schema(value_type = String)]
    template_id: TemplateId,
    /// Its title
    title: String,
    /// Its lines, in which `{{key.DATA}}` stands where a message's text goes
    content: String,
    /// The lines with texts
    example: String,
    /// The keys that a message gives texts for
    keys: Vec<String>,
}

/// A template to add
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddTemplateRequest {
    /// Its number in WeChat's library, such as `OPENTM207498902` or `43216`
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    template_id_short: LibraryNumber,
    /// The names of its keywords, in the order in which they are to stand; needed where its number is all
    /// digits
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    keyword_name_list: Vec<Line<64>>,
}

/// Templates of an Official Account
#[utoipa::path(
    get, path = "/v1/official-accounts/{appid}/templates", tag = "templates",
    security(("api_key" = ["templates"])),
    params(("appid" = String, Path, pattern = r"^[A-Za-z0-9_-]{1,64}$"), CutQuery),
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
    Query(asked): Query<CutQuery>,
) -> Result<Json<Page<TemplateResponse>>, Problem> {
    caller.may_name(&appid)?;
    let templates = answer(context.app.push.templates(&appid)).await?;
    Ok(Json(asked.page(templates, TemplateResponse::from)))
}

/// Add a template of WeChat's library to an Official Account
#[utoipa::path(
    post, path = "/v1/official-accounts/{appid}/templates", tag = "templates",
    security(("api_key" = ["templates"])),
    params(("appid" = String, Path, pattern = r"^[A-Za-z0-9_-]{1,64}$")),
    request_body = AddTemplateRequest,
    responses(
        (status = 201, description = "Added", body = TemplateAddedResponse),
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
    caller.may_name(&appid)?;
    let AddTemplateRequest { template_id_short: LibraryNumber(number), keyword_name_list } =
        request;
    let keywords: Vec<String> = keyword_name_list.into_iter().map(String::from).collect();
    let added = answer(context.app.push.add_template(&appid, &number, &keywords));
    let template_id = added.await?;
    Ok((StatusCode::CREATED, Json(TemplateAddedResponse { template_id })))
}

/// Delete a template of an Official Account
///
/// Messages of it that were accepted and not sent yet will fail.
#[utoipa::path(
    delete, path = "/v1/official-accounts/{appid}/templates/{template_id}", tag = "templates",
    security(("api_key" = ["templates"])),
    params(
        ("appid" = String, Path, pattern = r"^[A-Za-z0-9_-]{1,64}$"),
        ("template_id" = String, Path, pattern = r"^[A-Za-z0-9_-]{1,64}$"),
    ),
    responses(
        (status = 204, description = "Deleted"),
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
    caller.may_name(&appid)?;
    answer(context.app.push.delete_template(&appid, &template_id)).await?;
    Ok(NoContent)
}

impl From<Template> for TemplateResponse {
    fn from(template: Template) -> Self {
        let keys = template.keys().into_iter().map(str::to_owned).collect();
        let Template { id, title, content, example } = template;
        Self { template_id: id, title, content, example, keys }
    }
}
