//! What tests share: databases of their own, the application in process, and the truth to compare with.

mod app;
mod callbacks;
mod clocks;
mod database;
mod messages;
mod mirror;
mod nights;
mod operations;
mod process;
mod proxy;
mod rival;
mod sender;
mod sent;
mod service;
mod serving;
mod timed;
mod traces;
mod wire;
mod world;

pub use app::{TestApp, full, manual};
pub use callbacks::calling_back;
pub use database::{Backend, TestDatabase};
pub use messages::{becomes, ends, message, new, queue, route};
pub use mirror::assert_mirrors;
pub use nights::{SHORT_LEASE, assert_run_adds_up, crash, latest, night, world_of};
pub use operations::{Operation, operations};
pub use process::{Bridge, eventually, full_faults, signal, talk, until, until_stopped};
pub use proxy::{Proxy, Way};
pub use rival::{answering, take_over};
pub use sender::{FOLLOWER, LEFT, READER, STRANGER, Sender, UNLINKED, by_openid, ids, refused};
pub use sent::{accept, account_id, openid_of, send};
pub use service::{Answer, Service};
pub use serving::Serving;
pub use timed::{Watch, beat, move_to, next_tick, stopped_clock};
pub use wire::{begun, exchanged, rest, trickled};
pub use world::{assert_calls, pages_of, person_at};
