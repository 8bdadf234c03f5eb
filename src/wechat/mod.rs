//! The typed client of WeChat's server API: calls, their errors by what the caller can do, retries.
//!
//! [`Client`] is one per process; [`Client::account`] gives the calls of one Official Account, which
//! take their token from a [`TokenSource`] and their place in the queue from a [`ConcurrencyLimit`]. Every request
//! leaves through `send.rs`. [`template`] sends an Official Account's messages, [`subscribe`] a Mini
//! Program's, and [`form_template`] those that WeChat withdrew; [`login`] exchanges a Mini Program's
//! login codes, [`callback`] reads what WeChat pushes. Knows nothing of the database, of who keeps the
//! tokens, or of our own API.
//!
//! Rules kept here: no error and no log line holds a URL, a token, a secret or an openid; an answer is
//! judged by its bytes and never by its Content-Type; one raw control character in one person's remark
//! does not lose the other ninety-nine.

mod account;
mod answer;
mod attempts;
mod before_send;
pub mod callback;
mod cipher;
mod class;
mod client;
mod concurrency;
mod counts;
mod decode;
mod error;
mod failure_kind;
pub mod form_template;
#[cfg(fuzzing)]
pub mod fuzzing;
mod hint;
mod json_repair;
mod lenient;
pub mod login;
mod options;
mod probe;
mod profile;
mod quota;
mod redact;
mod request;
mod retry;
mod send;
pub mod subscribe;
pub mod template;
mod tls;
mod token;
mod transport_error;
mod upstream;
mod users;

#[cfg(test)]
mod tests;

pub use account::Account;
pub use before_send::BeforeSend;
pub use class::Class;
pub use client::Client;
pub use concurrency::ConcurrencyLimit;
pub use error::Error;
pub use failure_kind::FailureKind;
pub use options::{BuildError, Options};
pub use probe::{Probe, Resolved};
pub use quota::{Quota, RateLimit, next_renewal};
pub use retry::RetryPolicy;
pub use token::{AccessToken, GrantedToken, TokenError, TokenSource};
pub use transport_error::TransportError;
pub use upstream::Upstream;
pub use users::FollowerPage;
