//! A follower of an Official Account: what WeChat says of one, and what we keep.

use super::{OpenId, UnionId};

/// What WeChat says of one person, as `user/info` and `user/info/batchget` answer it.
///
/// Nickname, portrait, sex and place are not kept: WeChat has sent them empty since 2021.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The person in the account that was asked.
    pub openid: OpenId,
    /// Whether the person follows now. Where not, nothing but the openid is to be relied on.
    pub subscribed: bool,
    /// Absent where the account is not bound to an Open Platform account, and now and then for no
    /// reason at all.
    pub unionid: Option<UnionId>,
    /// Seconds since 1970, of the latest follow.
    pub subscribed_at: Option<i64>,
    /// How the person came, an open list such as `ADD_SCENE_QR_CODE`.
    pub subscribe_scene: Option<String>,
    /// The language that was asked for or that the person uses.
    pub language: Option<String>,
    /// The operator's note on this person, free text.
    pub remark: Option<String>,
    /// The operator's tags on this person.
    pub tag_ids: Vec<i64>,
    /// The operator's number in the QR code the person scanned; absent where there was none.
    pub qr_scene: Option<i64>,
    /// The operator's text in that QR code.
    pub qr_scene_text: Option<String>,
}

/// A known follower, as far as a crawl has to look at one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follower {
    /// Our own row id: dense, so that a set of them is a small bitmap.
    pub id: u64,
    /// The person in this account.
    pub openid: OpenId,
    /// The person across accounts, once WeChat has told it.
    pub unionid: Option<UnionId>,
    /// Whether the person follows, as far as we know.
    pub subscribed: bool,
    /// A single look-up has confirmed that WeChat gives no unionid for this person.
    pub unionid_known_absent: bool,
}
