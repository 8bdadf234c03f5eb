//! Finds a configured account by its name or AppID.

use std::fmt;

use super::mistake::most_similar;
use super::{Config, MiniProgram, OfficialAccount};

/// No account has this name or AppID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} {given:?}{}", Hint(self))]
pub struct UnknownAccount {
    /// "Official Account" or "Mini Program".
    pub what: &'static str,
    /// The name or AppID that was given.
    pub given: String,
    /// The names of the configured accounts.
    pub known: Vec<String>,
    /// The most similar name or AppID.
    pub suggestion: Option<String>,
}

/// The hint in the line after the error.
struct Hint<'e>(&'e UnknownAccount);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.suggestion, self.0.known.as_slice()) {
            (Some(known), _) => write!(f, "\nhint: did you mean `{known}`?"),
            (None, []) => f.write_str("\nhint: none is configured"),
            (None, known) => write!(f, "\nhint: configured: {}", known.join(", ")),
        }
    }
}

impl Config {
    /// Finds an Official Account by name or AppID.
    pub fn official_account(&self, given: &str) -> Result<&OfficialAccount, UnknownAccount> {
        let identifiers =
            |account: &OfficialAccount| [account.name.clone(), account.appid.to_string()];
        find("Official Account", &self.official_accounts, identifiers, given)
    }

    /// Finds a Mini Program by name or AppID.
    pub fn mini_program(&self, given: &str) -> Result<&MiniProgram, UnknownAccount> {
        let identifiers = |program: &MiniProgram| [program.name.clone(), program.appid.to_string()];
        find("Mini Program", &self.mini_programs, identifiers, given)
    }
}

/// Finds an account. Compares AppIDs first, so that a name that looks like another account's AppID never
/// wins. `identifiers` returns name and AppID.
fn find<'a, T>(
    what: &'static str,
    accounts: &'a [T],
    identifiers: impl Fn(&T) -> [String; 2],
    given: &str,
) -> Result<&'a T, UnknownAccount> {
    let find_by =
        |index: usize| accounts.iter().find(|account| identifiers(account)[index] == given);
    find_by(1).or_else(|| find_by(0)).ok_or_else(|| {
        let all: Vec<String> = accounts.iter().flat_map(&identifiers).collect();
        UnknownAccount {
            what,
            given: given.to_owned(),
            known: accounts.iter().map(|account| identifiers(account)[0].clone()).collect(),
            suggestion: most_similar(given, all.iter().map(String::as_str)).map(str::to_owned),
        }
    })
}
