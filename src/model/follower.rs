//! A follower of an Official Account: what WeChat says of one, and what we keep.

use xxhash_rust::xxh3::Xxh3Default;

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
    /// [`Profile::digest`] of the profile stored.
    pub digest: i64,
    /// A single look-up has confirmed that WeChat gives no unionid for this person.
    pub unionid_absent: bool,
}

impl Profile {
    /// A number over all but the openid, the unionid and whether the person follows: equal digests
    /// mean that WeChat said nothing new. The same in every version of this program.
    pub fn digest(&self) -> i64 {
        let mut hash = Xxh3Default::new();
        let texts = [&self.subscribe_scene, &self.language, &self.remark, &self.qr_scene_text];
        for text in texts {
            // The length keeps two texts from running into each other.
            let text = text.as_deref().unwrap_or_default();
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        for number in [self.subscribed_at, self.qr_scene] {
            hash.update(&number.unwrap_or(i64::MIN).to_le_bytes());
        }
        for tag in &self.tag_ids {
            hash.update(&tag.to_le_bytes());
        }
        hash.digest().cast_signed()
    }
}
