//! The command line.

mod exit;
mod health;
mod help;
mod keys;
mod legacy_templates;
mod output;
mod resolve;
mod runs;
mod send;
mod serve;
mod signals;
mod sync;
mod templates;
