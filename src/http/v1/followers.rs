//! The mirrored followers, page by page.

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
use crate::store::followers::{self, Filter, FollowerDetails};
use crate::store::{self, AccountId, accounts};

/// The page size without a `limit`.
const DEFAULT_LIMIT: u64 = 100;

/// The maximum page size.
const MAX_LIMIT: u64 = 1_000;

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
    /// `true`: only current followers. `false`: only users who unfollowed
    subscribed: Option<bool>,
    /// `true`: only followers whose unionid is known. `false`: only followers whose unionid is not known
    has_unionid: Option<bool>,
    /// The maximum number of entries on the page; 100 by default
    #[param(value_type = Option<u64>, minimum = 1, maximum = 1000)]
    limit: Option<Limit<MAX_LIMIT>>,
    /// The `next_cursor` of the previous page; left out for the first page
    #[param(value_type = Option<String>, pattern = "^f[0-7][0-9a-f]{15}$")]
    cursor: Option<Cursor>,
}

/// A follower, present or past
#[derive(Serialize, ToSchema)]
struct FollowerResponse {
    /// The AppID of the Official Account
    #[schema(value_type = String)]
    appid: AppId,
    /// The user's openid in that account
    #[schema(value_type = String)]
    openid: OpenId,
    /// The user's unionid, the same in all accounts; null if WeChat has not returned it
    #[schema(value_type = Option<String>, required = true)]
    unionid: Option<UnionId>,
    /// Whether the user follows the account
    subscribed: bool,
    /// When the user last followed the account, according to WeChat; null if unknown
    #[schema(required = true)]
    subscribed_at: Option<DateTime<Utc>>,
    /// When the service found that the user had unfollowed; null while the user follows
    #[schema(required = true)]
    unfollowed_at: Option<DateTime<Utc>>,
    /// How the user came to follow, as WeChat's code such as `ADD_SCENE_QR_CODE`; null if unknown
    #[schema(required = true)]
    subscribe_scene: Option<String>,
    /// The user's language, such as `zh_CN`; null if unknown
    #[schema(required = true)]
    language: Option<String>,
    /// The remark on the user in WeChat's console; null if there is none
    #[schema(required = true)]
    remark: Option<String>,
    /// The ids of the user's tags in WeChat's console
    tag_ids: Vec<i64>,
    /// The number in the QR code that the user scanned to follow; null if there is none
    #[schema(required = true)]
    qr_scene: Option<i64>,
    /// The text in the QR code that the user scanned to follow; null if there is none
    #[schema(required = true)]
    qr_scene_text: Option<String>,
    /// When WeChat last returned this profile
    profile_at: DateTime<Utc>,
}

/// List followers
///
/// Present and past followers of all configured Official Accounts that the key may access, in the order in
/// which the service first saw them. A follower that exists while you page through the list is listed
/// exactly once; new followers appear at the end. A page may have fewer entries than `limit`, even none,
/// and still have a `next_cursor`.
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
    Query(query): Query<FollowersQuery>,
) -> Result<Json<Page<FollowerResponse>>, Problem> {
    let kind = AccountKind::OfficialAccount;
    let appids = super::accounts::select(&context, &caller, kind, query.appid.as_ref())?;
    let limit = query.limit.map_or(DEFAULT_LIMIT, Limit::get);
    let after = query.cursor.map_or(0, Cursor::row);
    let (FollowersQuery { subscribed, has_unionid, .. }, reader) =
        (query, context.app.store.reader());
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
        let with_appid =
            |shown: FollowerDetails| Some((numbers.get(&shown.account).copied()?, shown));
        Ok((page.into_iter().filter_map(with_appid).collect(), next))
    });
    let (page, next) = listed.await?;
    let data = page.into_iter().map(|(appid, shown)| response(appid, shown)).collect();
    Ok(Json(Page { data, next_cursor: next.map(Cursor::after).map(String::from) }))
}

fn response(appid: &AppId, shown: FollowerDetails) -> FollowerResponse {
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
        // This service wrote it, as a JSON array of numbers.
        tag_ids: tags.and_then(Result::ok).unwrap_or_default(),
        qr_scene: shown.qr_scene,
        qr_scene_text: shown.qr_scene_text,
        profile_at: DateTime::from_timestamp_millis(shown.profile_at).unwrap_or_default(),
    }
}
