//! What tests share: databases of their own, the application in process, and the truth to compare with.

mod app;
mod database;
mod process;

pub use app::{TestApp, assert_adds_up, manual, scheduled};
pub use database::{Backend, TestDatabase};
pub use process::{Bridge, talk};
