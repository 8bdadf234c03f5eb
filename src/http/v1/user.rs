//! How requests name a user: by an openid and its account, or by unionid.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{AppId, OpenId, UnionId};
use crate::resolve::User;

/// A user, by an openid of a Mini Program or an Official Account, or by unionid
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(untagged, try_from = "UserFields")]
pub(super) enum NamedUser {
    OpenId(UserByOpenId),
    Unionid(UserByUnionid),
}

/// A user by an openid
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserByOpenId {
    /// The AppID of the Mini Program or Official Account that the openid belongs to
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    appid: AppId,
    /// The user's openid in that account
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    openid: OpenId,
}

/// A user by unionid
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserByUnionid {
    /// The user's unionid, the same in all accounts
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    unionid: UnionId,
}

/// All members that a user may have. Deserialized before their combination is checked, so that errors name
/// the invalid member.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserFields {
    pub(super) appid: Option<AppId>,
    pub(super) openid: Option<OpenId>,
    pub(super) unionid: Option<UnionId>,
}

const EITHER_OR: &str = "a user must be named either by `appid` and `openid`, or by `unionid`";

impl TryFrom<UserFields> for NamedUser {
    type Error = &'static str;

    fn try_from(fields: UserFields) -> Result<Self, &'static str> {
        match fields {
            UserFields { appid: Some(appid), openid: Some(openid), unionid: None } => {
                Ok(Self::OpenId(UserByOpenId { appid, openid }))
            }
            UserFields { appid: None, openid: None, unionid: Some(unionid) } => {
                Ok(Self::Unionid(UserByUnionid { unionid }))
            }
            _ => Err(EITHER_OR),
        }
    }
}

impl From<NamedUser> for User {
    fn from(user: NamedUser) -> Self {
        match user {
            NamedUser::OpenId(UserByOpenId { appid, openid }) => Self::OpenId { appid, openid },
            NamedUser::Unionid(UserByUnionid { unionid }) => Self::Unionid(unionid),
        }
    }
}
