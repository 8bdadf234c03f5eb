//! What WeChat pushes to us: who may push, what was pushed, and what tells one push from another.
//!
//! A [`Receiver`] is one account's. [`Receiver::admit`] judges a push by its query, before its body is
//! read; [`Receiver::open`] takes the body and gives a [`Notification`]. Nothing is believed before it is
//! verified: where an EncodingAESKey is configured, only what was encrypted with it counts.
//!
//! Bytes in, values out: knows nothing of HTTP, of the database, or of what follows from an event.

mod aes_key;
mod body;
mod error;
mod event;
mod fields;
mod fingerprint;
mod json;
mod notification;
mod query;
mod receiver;
mod signature;
mod xml;

#[cfg(test)]
mod tests;

pub use body::LONGEST_BODY;
pub use error::{Error, Forgery, Malformed};
pub use event::{Consent, DataSubject, Delivery, Event};
pub use notification::Notification;
pub use query::Query;
pub use receiver::{Receiver, SetupError};
