//! From WeChat's answer to the row: what it means (`verdict`), how the message stands then
//! (`settlement`), and all of that noted in one transaction (`note`).

mod pause;
mod record;
mod report;
mod settlement;
mod verdict;

pub(super) use report::{count_failed, count_unknown};
