//! The integration tests: the service against the sandbox, on real databases.
//!
//! Tests that use the store run on SQLite, and on PostgreSQL and MariaDB if `TEST_POSTGRES_URL` and
//! `TEST_MYSQL_URL` are set. The output lists the databases and the tests that are skipped. `TEST_REQUIRE`
//! lists the requirements that must be met ([`harness::Need`]).

#![expect(unreachable_pub, reason = "nothing uses a test binary as a library")]
#![expect(clippy::unwrap_used, reason = "a test whose setup fails should panic")]

mod harness;

mod callbacks;
mod cli;
mod database_outage;
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
