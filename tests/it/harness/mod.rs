//! What tests share: databases of their own, the application in process, and the truth to compare with.

mod app;
mod database;
mod process;
mod world;

pub use app::{TestApp, assert_adds_up, full, manual, scheduled};
pub use database::{Backend, TestDatabase};
pub use process::{Bridge, talk};
pub use world::{assert_calls, pages_of, person_at};
