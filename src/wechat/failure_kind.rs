//! Why WeChat did not do it, in the words that a caller of ours is told.

use super::{Class, Error};

/// Why WeChat did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// It is busy: worth trying again soon.
    Busy,
    /// An allowance is used up: worth trying again later.
    Spent,
    /// It did not answer in time.
    TooSlow,
    /// Its answer cannot be read.
    NotUnderstood,
    /// It refuses the account: an operator has to act.
    Misconfigured,
    /// It refuses what was asked for.
    Refused,
}

impl Error {
    /// Why WeChat did not do it.
    pub fn failure_kind(&self) -> FailureKind {
        match self.class() {
            _ if self.is_timeout() => FailureKind::TooSlow,
            Class::Transient | Class::RateLimited => FailureKind::Busy,
            Class::Quota => FailureKind::Spent,
            Class::Undecodable | Class::Unknown => FailureKind::NotUnderstood,
            Class::Config | Class::Token => FailureKind::Misconfigured,
            Class::Caller
            | Class::Person
            | Class::ListSize
            | Class::Template
            | Class::Duplicate
            | Class::Retired => FailureKind::Refused,
        }
    }
}
