//! A follower of an Official Account: WeChat's profile, and what the mirror keeps.

use xxhash_rust::xxh3::Xxh3Default;

use super::{OpenId, UnionId};

/// WeChat's profile of one user, from `user/info` or `user/info/batchget`.
///
/// Nickname, portrait, sex and location are not kept: WeChat has sent them empty since 2021.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The user in the account.
    pub openid: OpenId,
    /// Whether the user follows. If not, only the openid is reliable.
    pub subscribed: bool,
    /// Absent if the account is not bound to an Open Platform account, and sometimes for no visible
    /// reason.
    pub unionid: Option<UnionId>,
    /// Time of the latest follow, in seconds since 1970.
    pub subscribed_at: Option<i64>,
    /// How the user found the account, an open list such as `ADD_SCENE_QR_CODE`.
    pub subscribe_scene: Option<String>,
    /// The requested language, or the user's own.
    pub language: Option<String>,
    /// The operator's note on this user, free text.
    pub remark: Option<String>,
    /// The operator's tags on this user.
    pub tag_ids: Vec<i64>,
    /// The operator's number in the QR code that the user scanned, if any.
    pub qr_scene: Option<i64>,
    /// The operator's text in that QR code.
    pub qr_scene_text: Option<String>,
}

/// A known follower, with the fields that a crawl needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follower {
    /// Our row id. Dense, so that a set of ids is a small bitmap.
    pub id: u64,
    /// The user in this account.
    pub openid: OpenId,
    /// The user across accounts, once WeChat has returned the unionid.
    pub unionid: Option<UnionId>,
    /// Whether the user follows, as far as we know.
    pub subscribed: bool,
    /// [`Profile::digest`] of the stored profile.
    pub digest: i64,
    /// Whether a single lookup confirmed that WeChat returns no unionid for this user.
    pub unionid_absent: bool,
}

impl Profile {
    /// A hash of everything but the openid, the unionid and whether the user follows. Equal digests
    /// mean that nothing has changed. The same in all versions of this program.
    pub fn digest(&self) -> i64 {
        let mut hash = Xxh3Default::new();
        let texts = [&self.subscribe_scene, &self.language, &self.remark, &self.qr_scene_text];
        for text in texts {
            // Hashing the length keeps adjacent texts distinct.
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
