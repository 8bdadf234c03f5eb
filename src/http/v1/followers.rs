//! Followers as they are mirrored, by the page.

use std::collections::HashMap;

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Context;
use crate::http::auth::{self, Caller};
use crate::http::body::Json;
use crate::http::error::Problem;
use crate::http::paging::{self, Limit, Page};
use crate::http::parameters::Query;
use crate::model::{AccountKind, AppId, OpenId, UnionId};
use crate::store::followers::{self, Filter, Shown};
use crate::store::{self, AccountId, accounts};

/// Followers on a page, unless it is said how many.
const USUAL: u64 = 100;

/// Followers on a page at most.
const MOST: u64 = 1_000;

type Cursor = paging::Cursor<'f'>;

pub(super) fn router() -> OpenApiRouter<Context> {
    OpenApiRouter::default().routes(routes!(list_followers))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FollowersQuery {
    /// Only followers of this Official Account
    #[param(value_type = Option<String>, pattern = r"^[A-Za-z0-9_-]{1,64}$")]
    appid: Option<AppId>,
    /// Only those who follow, or with `false` only those who left
    subscribed: Option<bool>,
    /// Only those whose unionid is known, or with `false` only the others
    has_unionid: Option<bool>,
    /// How many at most; 100 where it is not said
    #[param(value_type = Option<u64>, minimum = 1, maximum = 1000)]
    limit: Option<Limit<MOST>>,
    /// The `next_cursor` of the page before
    #[param(value_type = Option<String>, pattern = "^f[0-7][0-9a-f]{15}$")]
    cursor: Option<Cursor>,
}

/// A follower, present or past
#[derive(Serialize, ToSchema)]
struct FollowerResponse {
    /// The Official Account
    #[schema(value_type = String)]
    appid: AppId,
    /// The person in that account
    #[schema(value_type = String)]
    openid: OpenId,
    /// The person across accounts; null where WeChat has not told it
    #[schema(value_type = Option<String>, required = true)]
    unionid: Option<UnionId>,
    /// Whether they follow
    subscribed: bool,
    /// Of the latest follow, as WeChat tells it
    #[schema(required = true)]
    subscribed_at: Option<DateTime<Utc>>,
    /// When they were found to have left; null while they follow
    #[schema(required = true)]
    unfollowed_at: Option<DateTime<Utc>>,
    /// How they came, in WeChat's word: `ADD_SCENE_QR_CODE`
    #[schema(required = true)]
    subscribe_scene: Option<String>,
    /// Their language
    #[schema(required = true)]
    language: Option<String>,
    /// The operator's note on them
    #[schema(required = true)]
    remark: Option<String>,
    /// The operator's tags on them
    tag_ids: Vec<i64>,
    /// The number in the QR code they came by
    #[schema(required = true)]
    qr_scene: Option<i64>,
    /// The text in that QR code
    #[schema(required = true)]
    qr_scene_text: Option<String>,
    /// When WeChat last told this profile
    profile_at: DateTime<Utc>,
}

/// Followers
///
/// Of all configured Official Accounts that the key is for, present and past ones, in the order in which
/// they became known. Who is there from the first page to the last is listed once; who came meanwhile stands
/// at the end. A page may have fewer than asked for, or none, while there is a `next_cursor`.
#[utoipa::path(
    get, path = "/v1/followers", tag = "followers", security(("api_key" = ["read"])),
    params(FollowersQuery),
    responses(
        (status = 200, body = Page<FollowerResponse>),
        (status = 404, description = "`official_account_unknown`: the account is not configured"),
    )
)]
async fn list_followers(
    caller: Caller<auth::Read>,
    State(context): State<Context>,
    Query(asked): Query<FollowersQuery>,
) -> Result<Json<Page<FollowerResponse>>, Problem> {
    let kind = AccountKind::OfficialAccount;
    let appids = super::accounts::meant(&context, &caller, kind, asked.appid.as_ref())?;
    let limit = asked.limit.map_or(USUAL, Limit::get);
    let after = asked.cursor.map_or(0, Cursor::row);
    let (FollowersQuery { subscribed, has_unionid, .. }, reader) =
        (asked, context.app.store.reader());
    let listed = store::in_time(async {
        let mut numbers: HashMap<AccountId, &AppId> = HashMap::new();
        for appid in appids {
            numbers.extend(accounts::find(reader, appid).await?.map(|number| (number, appid)));
        }
        if numbers.is_empty() {
            return Ok((Vec::new(), None));
        }
        let accounts = numbers.keys().copied().collect();
        let filter = Filter { accounts, subscribed, has_unionid };
        let (page, next) = followers::list_page(reader, &filter, after, limit).await?;
        let named = |shown: Shown| Some((numbers.get(&shown.account).copied()?, shown));
        Ok((page.into_iter().filter_map(named).collect(), next))
    });
    let (page, next) = listed.await?;
    let data = page.into_iter().map(|(appid, shown)| response(appid, shown)).collect();
    Ok(Json(Page { data, next_cursor: next.map(Cursor::after).map(String::from) }))
}

fn response(appid: &AppId, shown: Shown) -> FollowerResponse {
    let tags = shown.tag_ids.as_deref().map(serde_json::from_str);
    FollowerResponse {
        appid: appid.clone(),
        openid: shown.openid,
        unionid: shown.unionid,
        subscribed: shown.subscribed,
        subscribed_at: shown.subscribed_at.and_then(|at| DateTime::from_timestamp(at, 0)),
        unfollowed_at: shown.unfollowed_at.and_then(DateTime::from_timestamp_millis),
        subscribe_scene: shown.subscribe_scene,
        language: shown.language,
        remark: shown.remark,
        // Written by us, as an array of numbers.
        tag_ids: tags.and_then(Result::ok).unwrap_or_default(),
        qr_scene: shown.qr_scene,
        qr_scene_text: shown.qr_scene_text,
        profile_at: DateTime::from_timestamp_millis(shown.profile_at).unwrap_or_default(),
    }
}
