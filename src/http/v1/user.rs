//! How a request names a user: by an openid and its account, or by unionid.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::{AppId, OpenId, UnionId};
use crate::resolve::User;

/// A user, by an openid of a Mini Program or an Official Account, or by unionid
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(untagged, try_from = "UserMembers")]
pub(super) enum NamedUser {
    OpenId(UserByOpenId),
    Unionid(UserByUnionid),
}

/// A user by an openid
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserByOpenId {
    /// The Mini Program or Official Account
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    appid: AppId,
    /// The user in it
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    openid: OpenId,
}

/// A user by unionid
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserByUnionid {
    /// The user across accounts
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    unionid: UnionId,
}

/// What the members of a user may be: read one by one, so that a mistake is told by its member.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserMembers {
    pub(super) appid: Option<AppId>,
    pub(super) openid: Option<OpenId>,
    pub(super) unionid: Option<UnionId>,
}

const ONE_WAY: &str = "a user is named by `appid` and `openid`, or else by `unionid`";

impl TryFrom<UserMembers> for NamedUser {
    type Error = &'static str;

    fn try_from(members: UserMembers) -> Result<Self, &'static str> {
        match members {
            UserMembers { appid: Some(appid), openid: Some(openid), unionid: None } => {
                Ok(Self::OpenId(UserByOpenId { appid, openid }))
            }
            UserMembers { appid: None, openid: None, unionid: Some(unionid) } => {
                Ok(Self::Unionid(UserByUnionid { unionid }))
            }
            _ => Err(ONE_WAY),
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
