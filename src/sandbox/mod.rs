//! A WeChat one can run: for the demo, for tests, and for developing against.
//!
//! It answers from the vendor's documented facts and never from our client's own types: a field
//! misspelt in both would agree with itself. It knows nothing of the rest of the service but the
//! clock, and listens on loopback unless told otherwise.
//!
//! The map, from the outside in:
//!
//! - [`Sandbox`] and [`Account`] (`handle`): start it, change its world, ask for the truth
//! - [`Options`]: what world to make; [`FaultRule`]: what goes wrong in it
//! - `wire`: connections, and what every call passes through: counting, latency, faults
//! - `answer`: the vendor's answers, a file for each group of calls
//! - `control`: the routes below `/sandbox/` for people at a command line
//! - `push`: [`Event`]s on their way to a [`Callback`], and the URL check; `cipher` for both
//! - `world`: accounts, people, tokens, codes, quotas, templates, consents, messages; no HTTP and no
//!   JSON
//! - `fault`: what goes wrong with calls, what is odd about single people, what becomes of messages
//! - `call`, `errcode`: the vendor's names and numbers
//!
//! A person is a number. The followers of an account are the people `0..followers`, and everything
//! about a person is computed from the number, so a world of millions takes no memory. The same
//! number is the same person in every account.

mod answer;
mod call;
mod chance;
mod cipher;
mod control;
mod errcode;
mod fault;
mod handle;
mod locks;
mod options;
mod push;
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
