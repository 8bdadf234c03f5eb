//! WeChat's callbacks and their effects.

mod consents;
mod events;
mod profile_checks;
mod receipt_storm;
mod receipts;
mod receipts_overtaken;
mod replays;
