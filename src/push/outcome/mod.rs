//! From WeChat's answer to the row: `verdict` classifies the answer, `settlement` derives the
//! message's next state, and `record` writes it in one transaction.

mod delay;
mod record;
mod report;
mod settlement;
mod verdict;

pub(super) use report::{count_failed, count_unknown};
