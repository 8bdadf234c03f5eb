//! The OpenAPI document, its page for people, and what every operation has in common.
//!
//! Handlers document what is theirs. What all have alike is added here, so that no route can forget it:
//! the refusals that a key leads to, those of a body, and that every error is a `Problem`.

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

/// What operations call the API key.
const API_KEY: &str = "api_key";

const DESCRIPTION: &str = "Which follower of an Official Account is this Mini Program user, and may \
    I push to them? Errors are `application/problem+json` with a stable `code`. Keys are made with \
    `unionid-bridge keys create` and sent as `Authorization: Bearer ubk_…`.";

/// What each operation answers where a key is needed.
const WITH_KEY: [(&str, &str); 6] = [
    ("400", "The request cannot be understood"),
    ("401", "No API key, or one that is not valid"),
    ("403", "The API key has not the scope, or is for other accounts"),
    ("429", "The API key's limit is reached"),
    ("500", "Something went wrong here"),
    ("503", "It may go through later: the database does not answer"),
];

/// What each operation answers where a body is taken.
const WITH_BODY: [(&str, &str); 4] = [
    ("400", "The body cannot be understood"),
    ("408", "The body came too slowly"),
    ("413", "The body is too large, or compressed"),
    ("415", "The body is no JSON"),
];

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().routes(routes!(openapi))
}

/// This document
#[utoipa::path(
    get, path = "/openapi.json", tag = "about",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
async fn openapi(State(context): State<Context>) -> ([(HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, "application/json")], context.document.clone())
}

/// A page for people at `/docs`, with all it needs in this binary.
pub(super) fn page() -> SwaggerUi {
    // The badge would send the document's address to somebody else.
    SwaggerUi::new("/docs").config(Config::from("/openapi.json").validator_url("none"))
}

/// A document without operations.
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
        .description(Some("An API key, made with `unionid-bridge keys create`"));
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

/// The document with what all operations have in common.
pub(super) fn completed(mut document: OpenApi) -> OpenApi {
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        complete(operation);
    }
    document.components.iter_mut().for_each(name_entries);
    document
}

/// Has the pages of lists name what their entries are: utoipa repeats it in each generic type.
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

fn complete(operation: &mut Operation) {
    let mut refusals = Vec::new();
    if operation.security.is_some() {
        refusals.extend(WITH_KEY);
    }
    if operation.request_body.is_some() {
        refusals.extend(WITH_BODY);
    }
    if operation.parameters.is_some() {
        refusals.push(("400", "A parameter is wrong, unknown or given twice"));
    }
    let responses = &mut operation.responses.responses;
    for (status, description) in refusals {
        let missing = || RefOr::T(Response::new(description));
        responses.entry(status.to_owned()).or_insert_with(missing);
    }
    for (status, response) in responses {
        if let RefOr::T(response) = response {
            describe(status, response);
        }
    }
}

/// Every answer's headers, and an error's body.
fn describe(status: &str, response: &mut Response) {
    if response.description.is_empty() {
        let words = status.parse().ok().and_then(|status: StatusCode| status.canonical_reason());
        response.description = words.unwrap_or("The answer").to_owned();
    }
    let text = |description: &str| header(Type::String, description);
    let mut headers = vec![("X-Request-Id", text("The caller's own, or a new one"))];
    match status {
        "401" => headers.push(("WWW-Authenticate", text("Always `Bearer`"))),
        "429" | "503" => {
            headers.push((
                "Retry-After",
                header(Type::Integer, "Seconds to wait before the next try"),
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
