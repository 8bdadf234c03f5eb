//! An account that a beat could not serve.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::config::OfficialAccount;
use crate::model::AppId;
use crate::store;

/// An account that a beat did nothing for; the next one tries again, so that no tick is lost.
#[derive(Debug, thiserror::Error)]
#[error("the schedule of {appid} could not be read from the database")]
pub struct Unscheduled {
    /// The account.
    pub appid: AppId,
    /// The tick that was due, as far as that was known.
    pub tick: Option<DateTime<Utc>>,
    /// Why.
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
