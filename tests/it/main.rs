//! The integration tests: the service against the sandbox, on real databases.
//!
//! A test that touches the store runs on SQLite, and on PostgreSQL and MariaDB where
//! `TEST_POSTGRES_URL` and `TEST_MYSQL_URL` name a server: the run says which, and what it leaves out. What
//! `TEST_REQUIRE` names must not be left out ([`harness::Need`]).

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod harness;

mod callback_replays;
mod callbacks;
mod cli_exit;
mod cli_health;
mod cli_help;
mod cli_resolve;
mod cli_runs;
mod cli_send;
mod cli_serve;
mod cli_show;
mod cli_signals;
mod cli_sync;
mod cli_templates;
mod consents;
mod crash;
mod crash_sweep;
mod database_away;
mod databases;
mod disk_full;
mod doctor;
mod erasure;
mod erasure_departed;
mod erasure_messages;
mod erasure_races;
mod erasure_tables;
mod http_auth;
mod http_bodies;
mod http_callbacks;
mod http_drain;
mod http_end;
mod http_errors;
mod http_followers;
mod http_hostile;
mod http_limits;
mod http_lists;
mod http_login;
mod http_messages;
mod http_messages_batch;
mod http_messages_blank;
mod http_messages_list;
mod http_messages_named;
mod http_resolve;
mod http_slow;
mod http_sync_runs;
mod http_templates;
mod http_tokens;
mod keys_cli;
mod login_busy;
mod migrate;
mod pool_exhausted;
mod profile_checks;
mod push_busy;
mod push_doubt;
mod push_queue;
mod push_refused;
mod receipt_storm;
mod receipts;
mod replicas_clocks;
mod replicas_schedule;
mod replicas_stopped;
mod replicas_token;
mod resolve;
mod schedule;
mod schedule_rescue;
mod schedule_spread;
mod secrets;
mod secrets_serve;
mod soak;
mod store_again;
mod store_full;
mod store_given_up;
mod sync_begin;
mod sync_busy;
mod sync_collisions;
mod sync_commit_lost;
mod sync_drift;
mod sync_held;
mod sync_lost_lease;
mod sync_malformed;
mod sync_misaligned;
mod sync_nightly;
mod sync_overlap;
mod sync_pages;
mod sync_poison;
mod sync_probe;
mod sync_refresh;
mod sync_refused;
mod sync_resume;
mod sync_shapes;
mod sync_silent;
mod sync_stop;
mod sync_sweep;
mod sync_unionids;
mod token_refresh;
mod token_refused;
