//! The login code that `wx.login` returns to a Mini Program.

use std::fmt;
use std::str::FromStr;

/// A login code. Valid once, for five minutes, for one Mini Program.
///
/// Two codes are equal if their text is equal. `Debug` does not show the code.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LoginCode(Box<str>);

/// Why a text is not a login code. Does not contain the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLoginCode {
    /// The text is empty.
    #[error("the login code is empty")]
    Empty,
    /// The text is too long.
    #[error("the login code has more than {MAX_CHARS} characters")]
    TooLong,
    /// The text contains spaces, control characters or non-ASCII characters, as does the placeholder that the
    /// developer tool returns if the project has no AppID.
    #[error("the login code contains characters that WeChat's codes never contain")]
    Characters,
}

/// WeChat's codes have 32 characters, but WeChat documents no length.
const MAX_CHARS: usize = 128;

impl InvalidLoginCode {
    /// What the caller can do about this error.
    pub fn hint(self) -> &'static str {
        "send the code exactly as wx.login returned it; the developer tool returns a placeholder \
         if its project has no AppID"
    }
}

impl LoginCode {
    /// The code text. Only for sending, never for display.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for LoginCode {
    type Err = InvalidLoginCode;

    fn from_str(text: &str) -> Result<Self, InvalidLoginCode> {
        match text {
            "" => Err(InvalidLoginCode::Empty),
            text if text.len() > MAX_CHARS => Err(InvalidLoginCode::TooLong),
            text if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err(InvalidLoginCode::Characters)
            }
            text => Ok(Self(text.into())),
        }
    }
}

impl fmt::Debug for LoginCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginCode([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_login_code_is_rejected() {
        use InvalidLoginCode::{Characters, Empty, TooLong};
        let long = "0".repeat(MAX_CHARS + 1);
        for (text, problem) in [
            ("", Empty),
            (long.as_str(), TooLong),
            ("the code is a mock one", Characters),
            ("0a1\r\nHost: x", Characters),
            ("0a1\0", Characters),
            ("0a1中", Characters),
        ] {
            assert_eq!(text.parse::<LoginCode>().unwrap_err(), problem, "{text:?}");
        }
    }

    #[test]
    fn a_login_code_is_kept_unchanged_and_hidden_from_debug() {
        let code: LoginCode = "0b3CanaryGa1-x_Y".parse().unwrap();
        assert_eq!(code.expose(), "0b3CanaryGa1-x_Y");
        assert!(!format!("{code:?}").contains("Canary"));
    }
}
