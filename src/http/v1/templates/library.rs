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
use crate::http::paging::Limit;
use crate::http::parameters::{Nothing, Path, Query};
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
    /// How many to pass over; none where it is not said
    #[serde(default)]
    start: u32,
    /// How many at most; 30 where it is not said
    #[param(value_type = Option<u64>, minimum = 1, maximum = 30)]
    limit: Option<Limit<MOST>>,
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

/// The categories that a Mini Program is registered for
#[derive(Serialize, ToSchema)]
struct CategoriesResponse {
    data: Vec<CategoryResponse>,
}

/// A category
#[derive(Serialize, ToSchema)]
struct CategoryResponse {
    /// Its number
    category_id: i64,
    /// Its name
    name: String,
}

/// Templates of WeChat's library
#[derive(Serialize, ToSchema)]
struct LibraryResponse {
    /// Those from `start` on
    data: Vec<LibraryTemplate>,
    /// How many there are in these categories
    total: u64,
}

/// A template of WeChat's library
#[derive(Serialize, ToSchema)]
struct LibraryTemplate {
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

/// The keywords that a template can be made of
#[derive(Serialize, ToSchema)]
struct KeywordsResponse {
    data: Vec<KeywordResponse>,
}

/// A keyword of a template
#[derive(Serialize, ToSchema)]
struct KeywordResponse {
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
    params(("appid" = String, Path, pattern = r"^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, body = CategoriesResponse), MiniProgramRefusals, WechatRefusals)
)]
async fn list_categories(
    caller: Caller<auth::Templates>,
    State(context): State<Context>,
    Path(appid): Path<AppId>,
    _: Query<Nothing>,
) -> Result<Json<CategoriesResponse>, Problem> {
    caller.may_name(&appid)?;
    let categories = answer(context.app.push.subscribe_categories(&appid)).await?;
    let response = |Category { id, name }| CategoryResponse { category_id: id, name };
    Ok(Json(CategoriesResponse { data: categories.into_iter().map(response).collect() }))
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
    Query(LibraryQuery { categories, start, limit }): Query<LibraryQuery>,
) -> Result<Json<LibraryResponse>, Problem> {
    caller.may_name(&appid)?;
    let (push, limit) = (&context.app.push, limit.map_or(MOST, Limit::get));
    let listed = answer(push.subscribe_library(&appid, &categories.0, start.into(), limit));
    let (titles, total) = listed.await?;
    let response = |LibraryTitle { tid, title, kind, category_id }| {
        let kind = TemplateKind::of(kind);
        LibraryTemplate { tid, title, kind, category_id }
    };
    Ok(Json(LibraryResponse { data: titles.into_iter().map(response).collect(), total }))
}

/// Keywords of a template of WeChat's library
#[utoipa::path(
    get, path = "/v1/mini-programs/{appid}/template-library/{tid}/keywords", tag = "templates",
    security(("api_key" = ["templates"])),
    params(
        ("appid" = String, Path, pattern = r"^[A-Za-z0-9_-]{1,64}$"),
        ("tid" = String, Path, description = "The template's number in the library",
            pattern = r"^[A-Za-z0-9_-]{1,64}$"),
    ),
    responses((status = 200, body = KeywordsResponse), MiniProgramRefusals, WechatRefusals)
)]
async fn list_library_keywords(
    caller: Caller<auth::Templates>,
    State(context): State<Context>,
    Path((appid, tid)): Path<(AppId, LibraryNumber)>,
    _: Query<Nothing>,
) -> Result<Json<KeywordsResponse>, Problem> {
    caller.may_name(&appid)?;
    let keywords = answer(context.app.push.subscribe_keywords(&appid, &tid.0)).await?;
    let response = |Keyword { kid, name, example, rule }| KeywordResponse {
        keyword_id: kid,
        name,
        example,
        rule,
    };
    Ok(Json(KeywordsResponse { data: keywords.into_iter().map(response).collect() }))
}
