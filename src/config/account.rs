//! Which account somebody means: by its name, or by its AppID.

use std::fmt;

use super::mistake::meant;
use super::{Config, MiniProgram, OfficialAccount};

/// No account has that name or AppID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {what} is called {asked:?}{}", Hint(self))]
pub struct UnknownAccount {
    /// "Official Account" or "Mini Program".
    pub what: &'static str,
    /// What was asked for.
    pub asked: String,
    /// The names of those there are.
    pub known: Vec<String>,
    /// The name or AppID that was probably meant.
    pub suggestion: Option<String>,
}

/// The line that follows the error.
struct Hint<'e>(&'e UnknownAccount);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.suggestion, self.0.known.as_slice()) {
            (Some(word), _) => write!(f, "\nhint: did you mean `{word}`?"),
            (None, []) => f.write_str("\nhint: the configuration has none"),
            (None, known) => write!(f, "\nhint: configured are {}", known.join(", ")),
        }
    }
}

impl Config {
    /// The Official Account of that name or AppID.
    pub fn official_account(&self, asked: &str) -> Result<&OfficialAccount, UnknownAccount> {
        let words = |account: &OfficialAccount| [account.name.clone(), account.appid.to_string()];
        find("Official Account", &self.official_accounts, words, asked)
    }

    /// The Mini Program of that name or AppID.
    pub fn mini_program(&self, asked: &str) -> Result<&MiniProgram, UnknownAccount> {
        let words = |program: &MiniProgram| [program.name.clone(), program.appid.to_string()];
        find("Mini Program", &self.mini_programs, words, asked)
    }
}

/// Looks for an AppID first, so that no name can stand in for another account's AppID.
fn find<'a, T>(
    what: &'static str,
    accounts: &'a [T],
    words: impl Fn(&T) -> [String; 2],
    asked: &str,
) -> Result<&'a T, UnknownAccount> {
    let by = |word: usize| accounts.iter().find(|account| words(account)[word] == asked);
    by(1).or_else(|| by(0)).ok_or_else(|| {
        let all: Vec<String> = accounts.iter().flat_map(&words).collect();
        UnknownAccount {
            what,
            asked: asked.to_owned(),
            known: accounts.iter().map(|account| words(account)[0].clone()).collect(),
            suggestion: meant(asked, all.iter().map(String::as_str)).map(str::to_owned),
        }
    })
}
