//! Several processes on one database.

mod clocks;
mod schedule;
mod stopped;
mod token;
