//! The typed client of WeChat's server API: calls, their errors by what the caller can do, retries.
//!
//! A process has one [`Client`]. [`Client::account`] returns the calls of one account, which take their
//! access token from a [`TokenSource`] and their permit from a [`ConcurrencyLimit`]. `transport::send` sends every
//! request. [`template`] sends an Official Account's messages, [`subscribe`] a Mini Program's, and
//! [`form_template`] the kind that WeChat withdrew. [`login`] exchanges a Mini Program's login codes, and
//! [`callback`] parses WeChat's callback requests. This module does not know the database, where tokens are
//! stored, or our own API.
//!
//! Rules kept here: errors and log lines contain no URL, token, secret or openid; an answer is parsed from
//! its bytes, whatever its Content-Type; and a raw control character in the remark of one follower does not
//! lose the other 99 of the batch.

mod account;
pub mod callback;
mod cipher;
mod client;
mod decode;
mod error;
pub mod form_template;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod login;
mod options;
mod probe;
mod profile;
mod quota;
pub mod subscribe;
pub mod template;
mod token;
mod transport;
mod users;

#[cfg(test)]
mod tests;

pub use account::Account;
pub use client::Client;
pub use error::{Class, Error, FailureKind, TransportError, Upstream};
pub use options::{BuildError, Options};
pub use probe::{Probe, Resolved};
pub use quota::{Quota, RateLimit, next_renewal};
pub use token::{AccessToken, GrantedToken, TokenError, TokenSource};
pub use transport::{BeforeSend, ConcurrencyLimit, RetryPolicy};
pub use users::FollowerPage;
