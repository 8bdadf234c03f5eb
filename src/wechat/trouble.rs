//! Why WeChat did not do it, in the words that a caller of ours is told.

use super::{Class, Error};

/// Why WeChat did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
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
    pub fn trouble(&self) -> Trouble {
        match self.class() {
            _ if self.is_timeout() => Trouble::TooSlow,
            Class::Transient | Class::RateLimited => Trouble::Busy,
            Class::Quota => Trouble::Spent,
            Class::Undecodable | Class::Unknown => Trouble::NotUnderstood,
            Class::Config | Class::Token => Trouble::Misconfigured,
            Class::Caller
            | Class::Person
            | Class::ListSize
            | Class::Template
            | Class::Duplicate
            | Class::Retired => Trouble::Refused,
        }
    }
}
