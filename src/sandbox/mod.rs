//! A fake WeChat for demos, tests and development.
//!
//! It follows WeChat's documentation and never uses our client's types: a field that both misspell
//! would go unnoticed. Of the rest of the service it uses only the clock. It listens on loopback by
//! default.
//!
//! The map, from the outside in:
//!
//! - [`Sandbox`] and [`Account`] (`handle`): start a sandbox, change its world, query its true state
//! - [`Options`]: which world to create; [`FaultRule`]: which faults to inject
//! - `wire`: connections, and what every API call passes through: counting, latency, faults
//! - `answer`: WeChat's responses, one file per group of calls
//! - `control`: the routes under `/sandbox/`, for use from a command line
//! - `push`: delivers [`Event`]s to a [`Callback`] and checks its URL
//! - `cipher`: signatures and encryption of pushes and user data
//! - `world`: accounts, people, tokens, codes, quotas, templates, consents, messages; no HTTP and no
//!   JSON
//! - `fault`: faults of API calls, quirks of single people, receipts of messages
//! - `call`, `errcode`: the names of WeChat's API calls and its error codes
//!
//! A person (a WeChat user) is identified by a number, which is the same in every account. An account
//! starts with the people `0..followers` as its followers. Everything about a person is computed from
//! the number, so a world with millions of followers needs almost no memory.

mod answer;
mod call;
mod cipher;
mod control;
mod errcode;
mod fault;
mod handle;
mod locks;
mod options;
mod push;
mod random;
#[cfg(test)]
mod tests;
mod wire;
mod world;

pub use answer::UserData;
pub use call::{Call, UnknownCall};
pub use fault::{
    Dirt, Fault, FaultRule, InvalidReceipt, InvalidRule, Outcome, Quirk, Receipt, RuleId, Target,
    UnknownQuirk, When,
};
pub use handle::{Account, Error, Person, Sandbox};
pub use options::{
    LastPage, MINI_PROGRAM, MINI_PROGRAM_SECRET, MiniProgram, OFFICIAL_ACCOUNT,
    OFFICIAL_ACCOUNT_SECRET, OfficialAccount, Options,
};
pub use push::{
    Answer, Callback, CallbackFormat, CallbackMode, Envelope, Event, InvalidCallback, Undelivered,
};
pub use world::{
    Attempt, CallStats, Drift, InvalidWorld, Permission, Push, PushId, PushState, SentMessage,
    Stats,
};
