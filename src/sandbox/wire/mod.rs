//! The HTTP side: connections, what every call passes through, and how an answer is sent.
//!
//! Plain hyper in place of a router, because a fault has to be able to end a connection without
//! an answer.

mod gate;
mod reply;
mod server;

pub(crate) use server::Server;
