//! The scopes of API keys.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A part of the API that a key gives access to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Exchange login codes.
    Login,
    /// Look up identities.
    Resolve,
    /// Erase people.
    Erase,
    /// Send messages and read their state.
    Push,
    /// Manage message templates and industries.
    Templates,
    /// Read access tokens.
    Token,
    /// Start and read syncs, and decide on held ones.
    Sync,
    /// List followers and coverage.
    Read,
    /// Scrape metrics.
    Metrics,
}

/// The text is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a scope; the scopes are login, resolve, erase, push, templates, token, sync, read, metrics"
)]
pub struct UnknownScope(String);

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 9] = [
        Self::Login,
        Self::Resolve,
        Self::Erase,
        Self::Push,
        Self::Templates,
        Self::Token,
        Self::Sync,
        Self::Read,
        Self::Metrics,
    ];

    /// The name of the scope.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Resolve => "resolve",
            Self::Erase => "erase",
            Self::Push => "push",
            Self::Templates => "templates",
            Self::Token => "token",
            Self::Sync => "sync",
            Self::Read => "read",
            Self::Metrics => "metrics",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let known = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        known.ok_or_else(|| UnknownScope(text.chars().take(40).collect()))
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_round_trips_as_text() {
        for scope in Scope::ALL {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        let refused = "admin".parse::<Scope>().unwrap_err().to_string();
        assert!(Scope::ALL.iter().all(|scope| refused.contains(scope.as_str())), "{refused}");
    }
}
