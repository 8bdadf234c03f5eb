//! The error for an account that a beat could not serve.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::config::OfficialAccount;
use crate::model::AppId;
use crate::store;

/// An account that a beat could not serve. The next beat tries again, so that no tick is lost.
#[derive(Debug, thiserror::Error)]
#[error("could not read the schedule of {appid} from the database")]
pub struct Unscheduled {
    /// The account.
    pub appid: AppId,
    /// The tick that was due, if known.
    pub tick: Option<DateTime<Utc>>,
    /// The database error.
    pub source: Arc<store::Error>,
}

impl Unscheduled {
    pub(super) fn new(
        account: &OfficialAccount,
        tick: Option<DateTime<Utc>>,
        source: Arc<store::Error>,
    ) -> Self {
        Self { appid: account.appid.clone(), tick, source }
    }
}
