//! The keeper of access tokens: one token per account, shared by all processes on the database.
//!
//! A token is cached in memory and stored encrypted in the database. Callers get it from memory, which
//! is compared with the database every few seconds, otherwise from the database. If neither has a
//! usable token, one caller per process and one process per database refreshes the token, under a
//! lease. When WeChat refuses a token, the keeper first looks for a newer one and refreshes only if
//! there is none. Refreshes use WeChat's normal mode, which returns the same token to every caller. The
//! forced mode, which invalidates the current token for all callers, is for operators only.

mod cached;
mod compare;
mod error;
mod keeper;
mod refresh;

pub use cached::TokenStatus;
pub use error::Error;
pub use keeper::{Credentials, Keeper};
