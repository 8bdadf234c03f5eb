//! WeChat's template library for Mini Programs: categories, titles and keywords.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{LibraryId, MiniProgramRefusals, TemplateKind, WechatRefusals, respond};
use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::Json;
use crate::http::error::Problem;
use crate::http::paging::{Limit, Page, PageQuery, Position};
use crate::http::parameters::{Path, Query};
use crate::model::AppId;
use crate::push::{Category, Keyword, LibraryTitle};

/// The maximum page size, which is WeChat's.
const MAX_LIMIT: u64 = 30;

/// The maximum number of categories in one request.
const MAX_CATEGORIES: usize = 20;

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default()
        .routes(routes!(list_categories))
        .routes(routes!(list_library_templates))
        .routes(routes!(list_library_keywords))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LibraryQuery {
    /// Up to 20 category ids, separated by commas
    #[param(value_type = String, pattern = "^[0-9]{1,9}(,[0-9]{1,9}){0,19}$")]
    categories: Categories,
    /// The maximum number of entries on the page; 30 by default
    #[param(value_type = Option<u64>, minimum = 1, maximum = 30)]
    limit: Option<Limit<MAX_LIMIT>>,
    /// The `next_cursor` of the previous page; left out for the first page
    #[param(value_type = Option<String>, pattern = "^p[0-7][0-9a-f]{15}$")]
    cursor: Option<Position>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Categories(Vec<i64>);

impl TryFrom<String> for Categories {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let id = |text: &str| text.parse::<u32>().ok().map(i64::from);
        let ids: Option<Vec<_>> = text.split(',').take(MAX_CATEGORIES + 1).map(id).collect();
        let ids = ids.filter(|ids| ids.len() <= MAX_CATEGORIES);
        ids.map(Self).ok_or_else(|| {
            format!("categories must be 1 to {MAX_CATEGORIES} numbers separated by commas")
        })
    }
}

/// A category of a Mini Program
#[derive(Debug, Serialize, ToSchema)]
pub struct CategoryResponse {
    /// The id of the category
    category_id: i64,
    /// The name of the category
    name: String,
}

/// A page of WeChat's template library
#[derive(Serialize, ToSchema)]
struct LibraryResponse {
    /// The templates of this page, in WeChat's order
    data: Vec<LibraryTemplate>,
    /// Pass it as `cursor` to get the next page; null on the last page
    #[schema(required = true)]
    next_cursor: Option<String>,
    /// The number of templates in these categories
    total: u64,
}

/// A template of WeChat's template library
#[derive(Debug, Serialize, ToSchema)]
pub struct LibraryTemplate {
    /// The id of the template in the library, for adding it
    tid: String,
    /// The title of the template
    title: String,
    /// How often the template can be sent to a user who consents; null if WeChat does not return it
    #[schema(required = true)]
    kind: Option<TemplateKind>,
    /// The id of the template's category; null if WeChat does not return it
    #[schema(required = true)]
    category_id: Option<i64>,
}

/// A keyword of a template in the library
#[derive(Debug, Serialize, ToSchema)]
pub struct KeywordResponse {
    /// The id of the keyword, for `keyword_ids` when adding the template
    keyword_id: i64,
    /// The name of the keyword
    name: String,
    /// An example text
    example: String,
    /// The type of text that the keyword accepts, such as `thing` or `time`
    rule: String,
}

/// List the categories of a Mini Program
///
/// The categories that the Mini Program is registered for. They determine which templates of WeChat's
/// library it can use.
#[utoipa::path(
    get, path = "/v1/mini-programs/{appid}/categories", tag = "templates",
    security(("api_key" = ["templates"])),
    params(("appid" = String, Path, description = "The AppID of the Mini Program",
        pattern = r"^[A-Za-z0-9_-]{1,64}$"), PageQuery),
    responses((status = 200, body = Page<CategoryResponse>), MiniProgramRefusals, WechatRefusals)
)]
async fn list_categories(
    caller: Caller<auth::Templates>,
    State(context): State<Context>,
    Path(appid): Path<AppId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<CategoryResponse>>, Problem> {
    caller.require_app(&appid)?;
    let categories = respond(context.app.push.subscribe_categories(&appid)).await?;
    Ok(Json(query.page(categories, CategoryResponse::from)))
}

/// Search WeChat's template library
///
/// The templates of the given categories that the Mini Program can add. A page may have fewer entries than
/// `limit` and still have a `next_cursor`.
#[utoipa::path(
    get, path = "/v1/mini-programs/{appid}/template-library", tag = "templates",
    security(("api_key" = ["templates"])),
    params(("appid" = String, Path, description = "The AppID of the Mini Program",
        pattern = r"^[A-Za-z0-9_-]{1,64}$"), LibraryQuery),
    responses((status = 200, body = LibraryResponse), MiniProgramRefusals, WechatRefusals)
)]
async fn list_library_templates(
    caller: Caller<auth::Templates>,
    State(context): State<Context>,
    Path(appid): Path<AppId>,
    Query(LibraryQuery { categories, limit, cursor }): Query<LibraryQuery>,
) -> Result<Json<LibraryResponse>, Problem> {
    caller.require_app(&appid)?;
    let (start, limit) = (cursor.map_or(0, Position::row), limit.map_or(MAX_LIMIT, Limit::get));
    let (titles, total) =
        respond(context.app.push.subscribe_library(&appid, &categories.0, start, limit)).await?;
    // By WeChat's count: a title that cannot be used is missing from the page.
    let next = start.saturating_add(limit);
    let next_cursor = (next < total).then(|| Position::after(next).into());
    let data = titles.into_iter().map(Into::into).collect();
    Ok(Json(LibraryResponse { data, next_cursor, total }))
}

/// List the keywords of a library template
///
/// Choose two to five of them when adding the template.
#[utoipa::path(
    get, path = "/v1/mini-programs/{appid}/template-library/{tid}/keywords", tag = "templates",
    security(("api_key" = ["templates"])),
    params(
        ("appid" = String, Path, description = "The AppID of the Mini Program",
        pattern = r"^[A-Za-z0-9_-]{1,64}$"),
        ("tid" = String, Path, description = "The id of the template in the library",
            pattern = r"^[A-Za-z0-9_-]{1,64}$"),
        PageQuery,
    ),
    responses((status = 200, body = Page<KeywordResponse>), MiniProgramRefusals, WechatRefusals)
)]
async fn list_library_keywords(
    caller: Caller<auth::Templates>,
    State(context): State<Context>,
    Path((appid, tid)): Path<(AppId, LibraryId)>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<KeywordResponse>>, Problem> {
    caller.require_app(&appid)?;
    let keywords = respond(context.app.push.subscribe_keywords(&appid, &tid.0)).await?;
    Ok(Json(query.page(keywords, KeywordResponse::from)))
}

impl From<Category> for CategoryResponse {
    fn from(Category { id, name }: Category) -> Self {
        Self { category_id: id, name }
    }
}

impl From<LibraryTitle> for LibraryTemplate {
    fn from(LibraryTitle { tid, title, kind, category_id }: LibraryTitle) -> Self {
        Self { tid, title, kind: TemplateKind::of(kind), category_id }
    }
}

impl From<Keyword> for KeywordResponse {
    fn from(Keyword { kid, name, example, rule }: Keyword) -> Self {
        Self { keyword_id: kid, name, example, rule }
    }
}
