//! The tables of unionid-bridge, one file each.
//!
//! Column types are plain on purpose, so that they have the same meaning on SQLite, PostgreSQL, MariaDB and
//! MySQL. Times are integers of milliseconds since 1970-01-01T00:00:00Z, unless stated otherwise; most of
//! these columns have names that end in `_at`. Openids, unionids and AppIDs are compared byte by byte on all
//! databases.

pub mod access_token;
pub mod account;
pub mod api_key;
pub mod audit;
pub mod callback_seen;
pub mod consent;
pub mod erasure;
pub mod follower;
pub mod key_use;
pub mod lease;
pub mod message;
pub mod message_request;
pub mod mini_program_user;
pub mod profile_check;
pub mod push_pace;
pub mod quarantine;
pub mod receipt;
pub mod sync_page;
pub mod sync_run;
pub mod template_stop;
pub mod unionid_conflict;
