//! The names of the checks. They are stable, because monitoring matches on them.

use std::fmt;

use serde::{Serialize, Serializer};

/// Declares the names with their texts, in the order of the report.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// The name of a check.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Name {
            $($(#[$doc])* $name,)+
        }

        impl Name {
            /// All names, in the order of the report.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Returns the name as text.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

names!(
    /// The configuration is valid.
    Configuration = "configuration",
    /// Files with secrets are readable by their owner only.
    FilePermissions = "file-permissions",
    /// Encryption at rest uses configured keys.
    EncryptionKeys = "encryption-keys",
    /// Which machines can reach `serve`.
    HttpListen = "http-listen",
    /// The database answers.
    Database = "database",
    /// The database's schema is up to date.
    DatabaseMigrations = "database-migrations",
    /// SQLite's folder is writable and has space.
    DatabaseDisk = "database-disk",
    /// The connection pool fits the server's limit.
    DatabasePool = "database-pool",
    /// The database's clock agrees with this machine's.
    ClockDatabase = "clock-database",
    /// WeChat's clock agrees with this machine's.
    ClockWechat = "clock-wechat",
    /// The host in `wechat.base_url` can be resolved.
    WechatDns = "wechat-dns",
    /// The server's TLS certificate is valid.
    WechatTls = "wechat-tls",
    /// The server that answers is WeChat.
    WechatAnswer = "wechat-answer",
    /// WeChat grants an Official Account's access token.
    AccessToken = "access-token",
    /// WeChat lists the account's followers.
    FollowerList = "follower-list",
    /// The account's quotas are sufficient for the next sync.
    Quota = "quota",
    /// Followers have unionids.
    Unionids = "unionids",
    /// The latest successful sync is recent.
    LastRun = "last-run",
    /// No run is held.
    HeldRun = "held-run",
    /// No unionids changed recently.
    UnionidConflicts = "unionid-conflicts",
    /// Callbacks arrive.
    Callbacks = "callbacks",
    /// WeChat accepts a Mini Program's AppID and AppSecret.
    LoginSecret = "login-secret",
    /// An Official Account and a Mini Program have some unionids in common.
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
