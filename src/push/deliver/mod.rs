//! Delivers stored messages to WeChat: a worker per account claims messages at the account's rate
//! and makes one attempt per claim, within a deadline.
//!
//! Any number of processes may deliver. Before the first byte of a message is sent, a committed row
//! shows that WeChat may have it. `outcome` records the result.

mod attempt;
mod claim;
mod expire;
mod pace;
mod worker;

pub(super) use attempt::Answer;
pub(super) use claim::{Claimed, RESEND_WINDOW_MS, lost_attempt};
