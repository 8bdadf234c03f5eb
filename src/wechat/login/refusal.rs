//! Why WeChat refuses a login, by what the Mini Program can do.

/// Why WeChat did not exchange a login code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoginRefusal {
    /// The code is older than five minutes, from another Mini Program, used, or not a code (40029).
    InvalidCode,
    /// The code was used before (40163). Also if the answer to an earlier attempt was lost.
    UsedCode,
    /// WeChat considers the user a high risk (40226).
    Blocked,
    /// The user logged in too often within a minute (45011).
    TooOften,
}

impl LoginRefusal {
    pub(super) fn of(errcode: i64) -> Option<Self> {
        match errcode {
            40029 => Some(Self::InvalidCode),
            40163 => Some(Self::UsedCode),
            40226 => Some(Self::Blocked),
            45011 => Some(Self::TooOften),
            _ => None,
        }
    }

    /// What the Mini Program can do.
    pub fn hint(self) -> &'static str {
        match self {
            Self::InvalidCode => {
                "call wx.login again and send the new code: a code is valid once, for five \
                 minutes, and only for its own Mini Program"
            }
            Self::UsedCode => "call wx.login again and send the new code: each code works once",
            Self::Blocked => "WeChat considers this user a high risk: do not retry",
            Self::TooOften => {
                "wait a minute before the next login of this user: WeChat allows 100 per minute"
            }
        }
    }
}
