//! The code that `wx.login` gives a Mini Program.

use std::fmt;
use std::str::FromStr;

/// A login code: good once, for five minutes, for one Mini Program.
///
/// Two are equal, and hash alike, if they read the same. Not shown in `Debug`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LoginCode(Box<str>);

/// Why a text is not a login code. Does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLoginCode {
    /// It has no characters.
    #[error("the login code is empty")]
    Empty,
    /// It has too many characters.
    #[error("the login code has more than {LONGEST} characters")]
    TooLong,
    /// It has blanks, control characters or letters beyond ASCII, as the placeholder has that the
    /// developer tool gives while no AppID is set.
    #[error("the login code has characters that WeChat's codes do not have")]
    Characters,
}

/// WeChat's codes have 32 characters, and it promises no length.
const LONGEST: usize = 128;

impl InvalidLoginCode {
    /// What to do about it.
    pub fn hint(self) -> &'static str {
        "send the code exactly as wx.login gave it; the developer tool gives a placeholder while its \
         project has no AppID"
    }
}

impl LoginCode {
    /// The code itself, to be sent and never to be shown.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for LoginCode {
    type Err = InvalidLoginCode;

    fn from_str(text: &str) -> Result<Self, InvalidLoginCode> {
        match text {
            "" => Err(InvalidLoginCode::Empty),
            text if text.len() > LONGEST => Err(InvalidLoginCode::TooLong),
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
    fn what_wechat_could_not_have_given_is_no_code() {
        use InvalidLoginCode::{Characters, Empty, TooLong};
        let long = "0".repeat(LONGEST + 1);
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
    fn a_code_is_taken_as_it_is_and_not_shown() {
        let code: LoginCode = "0b3CanaryGa1-x_Y".parse().unwrap();
        assert_eq!(code.expose(), "0b3CanaryGa1-x_Y");
        assert!(!format!("{code:?}").contains("Canary"));
    }
}
