//! The HTTP side: connections, what every call passes through, and how a response is sent.
//!
//! Uses plain hyper without a router, because a fault must be able to close a connection without a
//! response.

mod api_call;
mod reply;
mod server;

pub(crate) use server::Server;
