//! What accounts to make.

use crate::sandbox::push::Callback;

/// The AppID of the Official Account that there is unless told otherwise.
pub const OFFICIAL_ACCOUNT: &str = "wx0a00000000000001";

/// Its AppSecret. A dummy: it opens nothing but a sandbox.
pub const OFFICIAL_ACCOUNT_SECRET: &str = "5a5d0b0c0a11ce0000000000000000a1";

/// The AppID of the Mini Program that there is unless told otherwise.
pub const MINI_PROGRAM: &str = "wx3b00000000000001";

/// Its AppSecret. A dummy: it opens nothing but a sandbox.
pub const MINI_PROGRAM_SECRET: &str = "5a5d0b0c0a11ce0000000000000000b1";

/// How the follower list ends; the vendor is seen to do either.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LastPage {
    /// The last page names its last openid, and the page after it is empty.
    #[default]
    NamesNext,
    /// The last page has an empty `next_openid`.
    EndsTheList,
}

/// An Official Account to make.
#[derive(Debug, Clone)]
pub struct OfficialAccount {
    /// The name it has in a configuration.
    pub name: String,
    /// `wx` and 16 hex digits.
    pub appid: String,
    /// 32 hex digits.
    pub secret: String,
    /// How many follow at first: the people `0..followers`.
    pub followers: u64,
    /// Whether it is bound to the Open Platform account; if not, nobody has a unionid.
    pub bound: bool,
    /// How its follower list ends.
    pub last_page: LastPage,
    /// Where its events are pushed.
    pub callback: Option<Callback>,
}

impl OfficialAccount {
    /// A bound account of that many followers.
    pub fn new(name: &str, appid: &str, secret: &str, followers: u64) -> Self {
        Self {
            name: name.to_owned(),
            appid: appid.to_owned(),
            secret: secret.to_owned(),
            followers,
            bound: true,
            last_page: LastPage::default(),
            callback: None,
        }
    }
}

/// A Mini Program to make. Every person can log in to it.
#[derive(Debug, Clone)]
pub struct MiniProgram {
    /// The name it has in a configuration.
    pub name: String,
    /// `wx` and 16 hex digits.
    pub appid: String,
    /// 32 hex digits.
    pub secret: String,
    /// Whether it is bound to the Open Platform account; if not, logins give no unionid.
    pub bound: bool,
    /// Where its events are pushed.
    pub callback: Option<Callback>,
}

impl MiniProgram {
    /// A bound Mini Program.
    pub fn new(name: &str, appid: &str, secret: &str) -> Self {
        Self {
            name: name.to_owned(),
            appid: appid.to_owned(),
            secret: secret.to_owned(),
            bound: true,
            callback: None,
        }
    }
}
