//! `/v1/official-accounts/{appid}/industry`: the industries whose templates an account can use.

use std::fmt;

use axum::extract::State;
use axum::response::NoContent;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{OfficialAccountRefusals, WechatRefusals, respond};
use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::Json;
use crate::http::error::Problem;
use crate::http::parameters::{Nothing, Path, Query};
use crate::model::AppId;
use crate::push::{Industries, Industry};

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().routes(routes!(get_industry, set_industry))
}

/// The two industries of an Official Account
#[derive(Debug, Serialize, ToSchema)]
pub struct IndustryResponse {
    /// The primary industry; null if none is set
    #[schema(required = true)]
    primary_industry: Option<IndustryNames>,
    /// The secondary industry; null if none is set
    #[schema(required = true)]
    secondary_industry: Option<IndustryNames>,
}

/// An industry, with WeChat's names
#[derive(Debug, Serialize, ToSchema)]
struct IndustryNames {
    /// The sector
    first_class: String,
    /// The industry within the sector
    second_class: String,
}

/// The industries to set
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetIndustryRequest {
    /// WeChat's id of the primary industry, such as `1`
    #[schema(value_type = String, pattern = "^[0-9]{1,8}$")]
    industry_id1: IndustryNumber,
    /// WeChat's id of the secondary industry
    #[schema(value_type = String, pattern = "^[0-9]{1,8}$")]
    industry_id2: IndustryNumber,
}

/// WeChat's id of an industry. WeChat writes it as a string; callers may also send a number.
struct IndustryNumber(String);

impl<'de> Deserialize<'de> for IndustryNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = IndustryNumber;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the id of an industry, such as \"1\"")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<IndustryNumber, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<IndustryNumber, E> {
        let is_number = (1..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        match is_number {
            true => Ok(IndustryNumber(text.to_owned())),
            false => Err(E::custom("must be the id of an industry, such as \"1\"")),
        }
    }
}

/// Get the industries of an Official Account
///
/// WeChat offers an account the templates of its two industries.
#[utoipa::path(
    get, path = "/v1/official-accounts/{appid}/industry", tag = "templates",
    security(("api_key" = ["templates"])),
    params(("appid" = String, Path, description = "The AppID of the Official Account",
        pattern = r"^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 200, body = IndustryResponse), OfficialAccountRefusals, WechatRefusals)
)]
async fn get_industry(
    caller: Caller<auth::Templates>,
    State(context): State<Context>,
    Path(appid): Path<AppId>,
    _: Query<Nothing>,
) -> Result<Json<IndustryResponse>, Problem> {
    caller.require_app(&appid)?;
    Ok(Json(respond(context.app.push.industries(&appid)).await?.into()))
}

/// Set the industries of an Official Account
///
/// WeChat allows one change per month. The account may lose templates of other industries.
#[utoipa::path(
    put, path = "/v1/official-accounts/{appid}/industry", tag = "templates",
    security(("api_key" = ["templates"])),
    params(("appid" = String, Path, description = "The AppID of the Official Account",
        pattern = r"^[A-Za-z0-9_-]{1,64}$")),
    request_body = SetIndustryRequest,
    responses((status = 204, description = "The industries are set"), OfficialAccountRefusals, WechatRefusals)
)]
async fn set_industry(
    caller: Caller<auth::Templates>,
    State(context): State<Context>,
    Path(appid): Path<AppId>,
    _: Query<Nothing>,
    Json(request): Json<SetIndustryRequest>,
) -> Result<NoContent, Problem> {
    caller.require_app(&appid)?;
    let SetIndustryRequest { industry_id1, industry_id2 } = request;
    respond(context.app.push.set_industries(&appid, &industry_id1.0, &industry_id2.0)).await?;
    Ok(NoContent)
}

impl From<Industries> for IndustryResponse {
    fn from(Industries { primary, secondary }: Industries) -> Self {
        let names =
            |Industry { first_class, second_class }| IndustryNames { first_class, second_class };
        Self { primary_industry: primary.map(names), secondary_industry: secondary.map(names) }
    }
}
