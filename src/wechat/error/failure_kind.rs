//! Why a request to WeChat failed, as our API reports it.

use crate::wechat::{Class, Error};

/// Why a request to WeChat failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// WeChat is busy: retry soon.
    Busy,
    /// A quota is used up: retry later.
    QuotaUsedUp,
    /// WeChat did not answer before the timeout.
    Timeout,
    /// WeChat's answer cannot be decoded.
    Undecodable,
    /// WeChat refuses the account: an operator has to act.
    Misconfigured,
    /// WeChat refuses this particular request.
    Refused,
}

impl Error {
    /// Why the request failed, as our API reports it.
    pub fn failure_kind(&self) -> FailureKind {
        match self.class() {
            _ if self.is_timeout() => FailureKind::Timeout,
            Class::Transient | Class::RateLimited => FailureKind::Busy,
            Class::Quota => FailureKind::QuotaUsedUp,
            Class::Undecodable | Class::Unknown => FailureKind::Undecodable,
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
