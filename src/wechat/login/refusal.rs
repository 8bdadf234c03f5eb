//! What WeChat holds against a login, by what the Mini Program can do.

/// Why WeChat did not exchange a login code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoginRefusal {
    /// The code is older than five minutes, another Mini Program's, used, or none at all (40029).
    InvalidCode,
    /// The code was used (40163); also where the answer to an earlier attempt was lost.
    UsedCode,
    /// WeChat holds the person for a high risk (40226).
    Blocked,
    /// The person logged in too often within a minute (45011).
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
                "call wx.login again and send the new code: a code is good once, for five minutes, and \
                 only for the Mini Program that it was given to"
            }
            Self::UsedCode => "call wx.login again and send the new code: each is good once",
            Self::Blocked => "WeChat takes this user for a high risk: do not try again",
            Self::TooOften => "let this user wait a minute: WeChat takes 100 logins in one",
        }
    }
}
