//! Access tokens: one refresh for all processes.

mod refresh;
mod refused;
