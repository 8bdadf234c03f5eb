//! The OpenAPI document, the page that displays it, and the parts that all operations share.
//!
//! Handlers document what is specific to them. Responses that many operations share are added here, so that
//! no route can omit them: errors of the API key, errors of the body, and the `Problem` body of all errors.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{ArrayItems, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    Response, ServerBuilder,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::Context;
use super::error::{Body, PROBLEM_JSON};

/// The name of the security scheme.
const API_KEY: &str = "api_key";

const DESCRIPTION: &str = "Finds the Official Account follower who is a given Mini Program user, and \
    sends that user messages.\n\n\
    **Authentication.** Create an API key with `unionid-bridge keys create` and send it as \
    `Authorization: Bearer ubk_…`. Operations that need a key name its scope. A key may be \
    limited to some accounts.\n\n\
    **Errors** are `application/problem+json`. Branch on `code`, which is stable, and show `detail` and \
    `hint` to people. Repeat a request that was answered with 429 or 503 after `Retry-After` seconds.\n\n\
    **Lists** are pages of `data`. Pass `next_cursor` as `cursor` to get the next page, until it is null.\n\n\
    **Times** are RFC 3339 in UTC. WeChat's days begin at midnight UTC+8.";

/// Responses of every operation that needs an API key.
const WITH_KEY: [(&str, &str); 6] = [
    ("400", "The request is malformed; `detail` says where. Correct it before you repeat it"),
    (
        "401",
        "`key_missing`, `key_malformed`, `key_unknown`, `key_revoked`, `key_expired`: the API key is \
         missing or not valid",
    ),
    (
        "403",
        "`scope_missing`: the API key lacks the scope. `app_not_allowed`: it may not access the account",
    ),
    (
        "429",
        "`rate_limited`: the API key exceeded its rate limit. Repeat the request after `Retry-After`",
    ),
    ("500", "`internal`: a bug or a permanent failure. Give the operator the `request_id`"),
    (
        "503",
        "`database_unavailable`: the database is unreachable, too slow or locked; `detail` says which. \
         Repeat the request after `Retry-After`",
    ),
];

/// Responses of every operation that takes a body.
const WITH_BODY: [(&str, &str); 4] = [
    ("400", "`invalid_json`, `invalid_body`: the body is malformed; `detail` says where"),
    ("408", "`body_too_slow`: the body did not arrive within 10 s"),
    ("413", "`body_too_large`, `body_compressed`: the body is too large or compressed"),
    ("415", "`not_json`: the `Content-Type` is not JSON"),
];

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().routes(routes!(openapi))
}

/// This document
///
/// `unionid-bridge openapi` prints the same, and `/docs` displays it.
#[utoipa::path(
    get, path = "/openapi.json", tag = "about",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
async fn openapi(State(context): State<Context>) -> ([(HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, "application/json")], context.document.clone())
}

/// The page at `/docs` that displays the document. All its files are embedded in this binary.
pub(super) fn page() -> SwaggerUi {
    // The validator badge would send the document's address to a third party.
    SwaggerUi::new("/docs").config(Config::from("/openapi.json").validator_url("none"))
}

/// Returns the document without operations.
pub(super) fn empty() -> OpenApi {
    let license = LicenseBuilder::new()
        .name(env!("CARGO_PKG_LICENSE"))
        .identifier(Some(env!("CARGO_PKG_LICENSE")));
    let info = InfoBuilder::new()
        .title(env!("CARGO_PKG_NAME"))
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(license.build()));
    let mut components = Components::new();
    let key = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("ubk_…")
        .description(Some("An API key, created with `unionid-bridge keys create`"));
    components.add_security_scheme(API_KEY, SecurityScheme::Http(key.build()));
    let mut schemas = vec![(Body::name().into_owned(), Body::schema())];
    Body::schemas(&mut schemas);
    components.schemas.extend(schemas);
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .components(Some(components))
        .build()
}

/// Adds the parts that all operations share.
pub(super) fn complete(mut document: OpenApi) -> OpenApi {
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        complete_operation(operation);
    }
    document.components.iter_mut().for_each(name_entries);
    document
}

/// Makes list pages refer to the schema of their entries, which utoipa repeats in each generic type.
fn name_entries(components: &mut Components) {
    for (name, schema) in &mut components.schemas {
        if let (Some(entry), RefOr::T(Schema::Object(page))) = (name.strip_prefix("Page_"), schema)
            && let Some(RefOr::T(Schema::Array(data))) = page.properties.get_mut("data")
        {
            data.items = ArrayItems::from(RefOr::Ref(Ref::from_schema_name(entry)));
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let methods = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete, &mut item.patch];
    methods.into_iter().flatten()
}

fn complete_operation(operation: &mut Operation) {
    let mut shared = Vec::new();
    if operation.security.is_some() {
        shared.extend(WITH_KEY);
    }
    if operation.request_body.is_some() {
        shared.extend(WITH_BODY);
    }
    if operation.parameters.is_some() {
        shared.push((
            "400",
            "`invalid_query`, `invalid_path`: a parameter is invalid, unknown or given twice",
        ));
    }
    let responses = &mut operation.responses.responses;
    for (status, description) in shared {
        let missing = || RefOr::T(Response::new(description));
        responses.entry(status.to_owned()).or_insert_with(missing);
    }
    for (status, response) in responses {
        if let RefOr::T(response) = response {
            describe(status, response);
        }
    }
}

/// Describes the headers of a response, and the body of an error.
fn describe(status: &str, response: &mut Response) {
    if response.description.is_empty() {
        let reason = status.parse().ok().and_then(|status: StatusCode| status.canonical_reason());
        response.description = reason.unwrap_or("The response").to_owned();
    }
    let text = |description: &str| header(Type::String, description);
    let mut headers =
        vec![("X-Request-Id", text("The id of the request: the caller's own, or a new one"))];
    match status {
        "401" => headers.push(("WWW-Authenticate", text("Always `Bearer`"))),
        "429" | "503" => {
            headers.push((
                "Retry-After",
                header(Type::Integer, "Seconds to wait before repeating the request"),
            ));
        }
        _ => {}
    }
    response
        .headers
        .extend(headers.into_iter().map(|(name, header)| (name.to_owned(), header.into())));
    if status >= "400" && response.content.is_empty() {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name(Body::name())));
        response.content.insert(PROBLEM_JSON.to_owned(), problem.build().into());
    }
}

fn header(kind: Type, description: &str) -> utoipa::openapi::Header {
    let schema = ObjectBuilder::new().schema_type(kind).build();
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}
