//! The names of the checks. They never change: monitors look for them.

use std::fmt;

use serde::{Serialize, Serializer};

/// Declares the names, each with its word, in the order in which checks are told.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)+) => {
        /// A check by its name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Name {
            $($(#[$doc])* $name,)+
        }

        impl Name {
            /// All of them, in the order in which they are told.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }
    };
}

names!(
    /// The configuration has no mistakes.
    Configuration = "configuration",
    /// Nobody else may read the files with secrets in them.
    FilePermissions = "file-permissions",
    /// What is kept encrypted has keys of its own.
    EncryptionKeys = "encryption-keys",
    /// Who can reach `serve`.
    HttpListen = "http-listen",
    /// The database answers.
    Database = "database",
    /// Its schema is up to date.
    DatabaseMigrations = "database-migrations",
    /// SQLite's folder takes more.
    DatabaseDisk = "database-disk",
    /// The pool fits the server.
    DatabasePool = "database-pool",
    /// The database's clock agrees with ours.
    ClockDatabase = "clock-database",
    /// WeChat's clock agrees with ours.
    ClockWechat = "clock-wechat",
    /// The name in `wechat.base_url` has addresses.
    WechatDns = "wechat-dns",
    /// The server there is who it says.
    WechatTls = "wechat-tls",
    /// What answers there is WeChat.
    WechatAnswer = "wechat-answer",
    /// WeChat grants an Official Account's token.
    AccessToken = "access-token",
    /// It lists the account's followers.
    FollowerList = "follower-list",
    /// The next sync fits into the account's quotas.
    Quota = "quota",
    /// Followers have unionids.
    Unionids = "unionids",
    /// The latest sync that ended well is not long ago.
    LastRun = "last-run",
    /// No run waits for a person.
    HeldRun = "held-run",
    /// No unionids changed lately.
    UnionidConflicts = "unionid-conflicts",
    /// Callbacks arrive.
    Callbacks = "callbacks",
    /// WeChat takes a Mini Program's AppSecret.
    LoginSecret = "login-secret",
    /// An Official Account and a Mini Program know some people in common.
    SharedUnionids = "shared-unionids",
);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
