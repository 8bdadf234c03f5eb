//! Sending a request: its parts, its retries, and how many calls an account has in flight.
//!
//! [`attempts`] retries a call by its error class, [`concurrency`] limits the calls in flight, and
//! [`send`] is the only function that sends a request. [`before_send`] lets the caller decide at the last
//! moment whether a call that must not be repeated is sent.

pub(super) mod attempts;
mod before_send;
mod concurrency;
pub(super) mod counts;
pub(super) mod request;
mod retry;
pub(super) mod send;
pub(super) mod tls;

pub use before_send::BeforeSend;
pub use concurrency::ConcurrencyLimit;
pub use retry::RetryPolicy;
