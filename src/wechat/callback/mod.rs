//! WeChat's callback requests: verifies, decrypts, parses and fingerprints them.
//!
//! Each account has a [`Receiver`]. [`Receiver::admit`] validates the query of a request before its body is
//! read, and [`Receiver::open`] turns the body into a [`Notification`]. No content is used before it is
//! verified. If an EncodingAESKey is configured, only encrypted content is accepted.
//!
//! This module converts bytes to values. It does not know HTTP, the database, or the effects of an event.

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

pub use body::MAX_BODY_BYTES;
pub use error::{Error, Forgery, Malformed};
pub use event::{Consent, DataSubject, Delivery, Event};
pub use notification::Notification;
pub use query::Query;
pub use receiver::{Receiver, SetupError};
