//! The HTTP API: requests, limits, and shutdown.

mod access_tokens;
mod auth;
mod bodies;
mod callbacks;
mod drain;
mod errors;
mod followers;
mod hostile;
mod idempotency;
mod key_limits;
mod lists;
mod login;
mod login_busy;
mod messages;
mod messages_batch;
mod messages_blank;
mod messages_list;
mod messages_rare;
mod resolve;
mod shutdown;
mod slow_clients;
mod sync_runs;
mod templates;
