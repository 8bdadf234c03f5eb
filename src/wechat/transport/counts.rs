//! Counts the requests that an account has sent, by call.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Requests sent, retries included.
#[derive(Debug, Default)]
pub(in crate::wechat) struct Counts(Mutex<BTreeMap<&'static str, u64>>);

impl Counts {
    pub(in crate::wechat) fn add(&self, call: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(call).or_default() += 1;
    }

    pub(in crate::wechat) fn all(&self) -> BTreeMap<String, u64> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(call, count)| ((*call).to_owned(), *count)).collect()
    }
}
