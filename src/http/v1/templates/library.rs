//! WeChat's library of templates for a Mini Program: its categories, its titles, their keywords.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{LibraryNumber, MiniProgramRefusals, TemplateKind, WechatRefusals, answer};
use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::Json;
use crate::http::error::Problem;
use crate::http::paging::{CutQuery, Limit, Page, Position};
use crate::http::parameters::{Path, Query};
use crate::model::AppId;
use crate::push::{Category, Keyword, LibraryTitle};

/// Titles on a page at most, as WeChat gives them.
const MOST: u64 = 30;

/// Categories that are asked about at once.
const MOST_CATEGORIES: usize = 20;

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
    /// Numbers of categories, with commas between them
    #[param(value_type = String, pattern = "^[0-9]{1,9}(,[0-9]{1,9}){0,19}$")]
    categories: Categories,
    /// How many at most; 30 where it is not said
    #[param(value_type = Option<u64>, minimum = 1, maximum = 30)]
    limit: Option<Limit<MOST>>,
    /// The `next_cursor` of the page before
    #[param(value_type = Option<String>, pattern = "^p[0-7][0-9a-f]{15}$")]
    cursor: Option<Position>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Categories(Vec<i64>);

impl TryFrom<String> for Categories {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = |word: &str| word.parse::<u32>().ok().map(i64::from);
        let numbers: Option<Vec<_>> =
            text.split(',').take(MOST_CATEGORIES + 1).map(number).collect();
        let few = numbers.filter(|numbers| numbers.len() <= MOST_CATEGORIES);
        few.map(Self).ok_or_else(|| {
            format!("categories are 1 to {MOST_CATEGORIES} numbers with commas between them")
        })
    }
}

/// A category
#[derive(Debug, Serialize, ToSchema)]
pub struct CategoryResponse {
    /// Its number
    category_id: i64,
    /// Its name
    name: String,
}

/// A page of WeChat's library
#[derive(Serialize, ToSchema)]
struct LibraryResponse {
    /// In WeChat's order
    data: Vec<LibraryTemplate>,
    /// Where the next page begins; null on the last one
    #[schema(required = true)]
    next_cursor: Option<String>,
    /// How many there are in these categories
    total: u64,
}

/// A template of WeChat's library
#[derive(Debug, Serialize, ToSchema)]
pub struct LibraryTemplate {
    /// Its number in the library
    tid: String,
    /// Its title
    title: String,
    /// How often it can be sent to whoever accepts it; null where WeChat does not say
    #[schema(required = true)]
    kind: Option<TemplateKind>,
    /// The category that it is of
    #[schema(required = true)]
    category_id: Option<i64>,
}

/// A keyword of a template
#[derive(Debug, Serialize, ToSchema)]
pub struct KeywordResponse {
    /// Its number, for `keyword_ids`
    keyword_id: i64,
    /// Its name
    name: String,
    /// A text that it takes
    example: String,
    /// The kind of its texts: `thing`, `time`, …
    rule: String,
}

/// Categories of a Mini Program
///
/// What it is registered for, which says what part of WeChat's library is open to it.
#[utoipa::path(
    get, path = "/v1/mini-programs/{appid}/categories", tag = "templates",
    security(("api_key" = ["templates"])),
    params(("appid" = String, Path, pattern = r"^[A-Za-z0-9_-]{1,64}$"), CutQuery),
    responses((status = 200, body = Page<CategoryResponse>), MiniProgramRefusals, WechatRefusals)
)]
async fn list_categories(
    caller: Caller<auth::Templates>,
    State(context): State<Context>,
    Path(appid): Path<AppId>,
    Query(asked): Query<CutQuery>,
) -> Result<Json<Page<CategoryResponse>>, Problem> {
    caller.may_name(&appid)?;
    let categories = answer(context.app.push.subscribe_categories(&appid)).await?;
    Ok(Json(asked.page(categories, CategoryResponse::from)))
}

/// WeChat's library of templates for a Mini Program
#[utoipa::path(
    get, path = "/v1/mini-programs/{appid}/template-library", tag = "templates",
    security(("api_key" = ["templates"])),
    params(("appid" = String, Path, pattern = r"^[A-Za-z0-9_-]{1,64}$"), LibraryQuery),
    responses((status = 200, body = LibraryResponse), MiniProgramRefusals, WechatRefusals)
)]
async fn list_library_templates(
    caller: Caller<auth::Templates>,
    State(context): State<Context>,
    Path(appid): Path<AppId>,
    Query(LibraryQuery { categories, limit, cursor }): Query<LibraryQuery>,
) -> Result<Json<LibraryResponse>, Problem> {
    caller.may_name(&appid)?;
    let (start, limit) = (cursor.map_or(0, Position::row), limit.map_or(MOST, Limit::get));
    let (titles, total) =
        answer(context.app.push.subscribe_library(&appid, &categories.0, start, limit)).await?;
    // Counted as WeChat counts: a title that cannot be used is left out of the page.
    let next = start.saturating_add(limit);
    let next_cursor = (next < total).then(|| Position::after(next).into());
    let data = titles.into_iter().map(Into::into).collect();
    Ok(Json(LibraryResponse { data, next_cursor, total }))
}

/// Keywords of a template of WeChat's library
#[utoipa::path(
    get, path = "/v1/mini-programs/{appid}/template-library/{tid}/keywords", tag = "templates",
    security(("api_key" = ["templates"])),
    params(
        ("appid" = String, Path, pattern = r"^[A-Za-z0-9_-]{1,64}$"),
        ("tid" = String, Path, description = "The template's number in the library",
            pattern = r"^[A-Za-z0-9_-]{1,64}$"),
        CutQuery,
    ),
    responses((status = 200, body = Page<KeywordResponse>), MiniProgramRefusals, WechatRefusals)
)]
async fn list_library_keywords(
    caller: Caller<auth::Templates>,
    State(context): State<Context>,
    Path((appid, tid)): Path<(AppId, LibraryNumber)>,
    Query(asked): Query<CutQuery>,
) -> Result<Json<Page<KeywordResponse>>, Problem> {
    caller.may_name(&appid)?;
    let keywords = answer(context.app.push.subscribe_keywords(&appid, &tid.0)).await?;
    Ok(Json(asked.page(keywords, KeywordResponse::from)))
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
