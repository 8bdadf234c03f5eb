//! From a row to WeChat: queues are worked on, messages claimed at the account's pace, each attempt made
//! once and in time.
//!
//! Any number of processes deliver. Before a byte of a message leaves it is committed that WeChat may have
//! it; what comes of it is noted by `outcome`.

mod attempt;
mod claim;
mod expire;
mod pace;
mod worker;

pub(super) use attempt::Answer;
pub(super) use claim::{Claimed, SAFE_MS, lost_at};
