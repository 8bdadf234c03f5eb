//! Messages: the queue, sending once, and receipts.

mod killed;
mod lost_answers;
mod queue;
mod queue_backlog;
mod receipts;
mod refused;
mod wechat_busy;
