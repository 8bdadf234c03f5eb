//! The keeper of access tokens: one per account, for all processes on the database.
//!
//! A token lives in memory, sealed in the database, and at WeChat. Whoever needs one takes it from
//! memory, which is compared with the database every few seconds, then from the database; only when neither holds a good one is WeChat asked, by one
//! caller in the process and one process on the database, under a lease. A refused token is replaced
//! by comparing it with what is held: if a newer one is there already, that is the answer and no
//! call is made. Asks in WeChat's normal mode, which gives every caller the same token; the forced
//! mode, which kills the token for everybody, is for operators only.

mod compare;
mod error;
mod held;
mod keeper;
mod refresh;

pub use error::Error;
pub use held::TokenStatus;
pub use keeper::{Credentials, Keeper};
