//! From WeChat's answer to the row: what it means (`verdict`), how the message stands then
//! (`settlement`), and all of that noted in one transaction (`note`).

mod note;
mod pause;
mod settlement;
mod tell;
mod verdict;

pub(super) use tell::{count_failed, count_unknown};
