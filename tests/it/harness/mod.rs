//! Shared test setup: a database per test, the application in process, and assertions against the sandbox.

mod app;
mod balancer;
mod callbacks;
mod clocks;
mod crashes;
mod database;
mod messages;
mod mirror;
mod requirements;

mod competitor;
mod operations;
mod process;
mod proxy;
mod sender;
mod sent;
mod serve_process;
mod server;
mod service;

mod timed;
mod traces;
mod wire;
mod world;

pub use app::{TestApp, full, manual};
pub use balancer::Balancer;
pub use callbacks::calling_back;
pub use competitor::{serve_fixed, take_over};
pub use crashes::{SHORT_LEASE, assert_run_adds_up, crash, latest, run_sync, world_of_pages};
pub use database::{Backend, TestDatabase};
pub use messages::{message, new_message, new_route, queue, wait_for_message, wait_for_state};
pub use mirror::{assert_mirrors, mirror};
pub use operations::{Operation, operations, with_json};
pub use process::{
    Bridge, eventually, full_faults, peak_memory_kib, signal, stderr, until, until_stopped,
};
pub use proxy::{Proxy, ProxyMode};
pub use requirements::Need;
pub use sender::{
    FOLLOWER, LEFT, READER, STRANGER, Sender, UNLINKED, by_openid, ids, status_and_code,
};
pub use sent::{accept_messages, account_id, mark_sent, openid_of};
pub use serve_process::ServeProcess;
pub use server::{Ending, Server};
pub use service::{Answer, Service, call_at};
pub use timed::{Telemetry, beat, move_to, next_tick, stopped_clock};
pub use wire::{exchange, read_to_end, send_endless, send_partial, trickle};
pub use world::{assert_calls, paged_world, person_at};
