//! Which accounts the sandbox creates.

use crate::sandbox::push::Callback;

/// The AppID of the default Official Account.
pub const OFFICIAL_ACCOUNT: &str = "wx0a00000000000001";

/// The AppSecret of the default Official Account. A dummy that works only in a sandbox.
pub const OFFICIAL_ACCOUNT_SECRET: &str = "5a5d0b0c0a11ce0000000000000000a1";

/// The AppID of the default Mini Program.
pub const MINI_PROGRAM: &str = "wx3b00000000000001";

/// The AppSecret of the default Mini Program. A dummy that works only in a sandbox.
pub const MINI_PROGRAM_SECRET: &str = "5a5d0b0c0a11ce0000000000000000b1";

/// How the follower list ends. Real WeChat has been seen to do both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LastPage {
    /// `next_openid` of the last page is its last openid, and the page after it is empty.
    #[default]
    NamesNext,
    /// `next_openid` of the last page is empty.
    EndsTheList,
}

/// An Official Account to create.
#[derive(Debug, Clone)]
pub struct OfficialAccount {
    /// The account's name in the configuration of unionid-bridge.
    pub name: String,
    /// `wx` and 16 hex digits.
    pub appid: String,
    /// 32 hex digits.
    pub secret: String,
    /// The initial number of followers. They are the people `0..followers`.
    pub followers: u64,
    /// Whether the account is bound to the Open Platform account. If not, nobody has a unionid.
    pub bound: bool,
    /// How the follower list ends.
    pub last_page: LastPage,
    /// Where the account's events are pushed.
    pub callback: Option<Callback>,
}

impl OfficialAccount {
    /// Creates an account that is bound to the Open Platform account, with this many followers.
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

/// A Mini Program to create. Every person can log in to it.
#[derive(Debug, Clone)]
pub struct MiniProgram {
    /// The account's name in the configuration of unionid-bridge.
    pub name: String,
    /// `wx` and 16 hex digits.
    pub appid: String,
    /// 32 hex digits.
    pub secret: String,
    /// Whether the account is bound to the Open Platform account. If not, logins return no unionid.
    pub bound: bool,
    /// Where the account's events are pushed.
    pub callback: Option<Callback>,
}

impl MiniProgram {
    /// Creates a Mini Program that is bound to the Open Platform account.
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
