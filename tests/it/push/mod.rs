//! Messages: queued, sent once, and what their receipts say.

mod killed;
mod lost_answers;
mod queue;
mod queue_backlog;
mod receipts;
mod refused;
mod wechat_busy;
