//! The integration tests: the service against the sandbox, on real databases.
//!
//! A test that touches the store runs on SQLite, and on PostgreSQL and MariaDB where
//! `TEST_POSTGRES_URL` and `TEST_MYSQL_URL` name a server: the run says which, and what it leaves out. What
//! `TEST_REQUIRE` names must not be left out ([`harness::Need`]).

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod harness;

mod callbacks;
mod cli;
mod database_away;
mod doctor;
mod erasure;
mod http;
mod push;
mod replicas;
mod resolve;
mod schedule;
mod secrets;
mod secrets_serve;
mod soak;
mod store;
mod sync;
mod token;
