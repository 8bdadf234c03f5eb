//! WeChat busy, out of quota, or refusing the account: messages wait, and leave once.
