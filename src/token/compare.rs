//! The token at hand compared with the database: another process may have replaced it.
//!
//! A token that WeChat refused is replaced once for everybody, by the process that saw it refused. The
//! others learn of it from here within seconds, before they hand the dead one out.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::held::Held;
use super::keeper::{Keeper, Slot};
use crate::model::AppId;
use crate::store::tokens;

/// How often the two are compared.
const COMPARE_EVERY: Duration = Duration::from_secs(3);

/// How long the database is waited for then.
const COMPARE_WITHIN: Duration = Duration::from_millis(300);

impl Keeper {
    /// Takes over what another process has stored since: it may have seen WeChat refuse the token at hand.
    /// One short reading every few seconds, for everybody; while the database is away, memory is believed.
    pub(super) async fn compare(&self, appid: &AppId, slot: &Slot) {
        let mut compared = slot.compared.lock().await;
        if compared.is_some_and(|at| at.elapsed() < COMPARE_EVERY) {
            return;
        }
        let Some(held) = slot.held() else { return };
        let newer = async {
            let row = tokens::find(self.store.reader(), appid).await?;
            match row.filter(|row| row.fence > held.fence) {
                Some(row) => self.opened(appid, slot, &row).await,
                None => Ok(None),
            }
        };
        match timeout(COMPARE_WITHIN, newer).await {
            Ok(Ok(Some(newer))) => slot.hold_newer(newer),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => {
                tracing::debug!(app.id = %appid, %error, "an access token was not compared");
            }
            Err(_) => tracing::debug!(app.id = %appid, "an access token was not compared in time"),
        }
        *compared = Some(Instant::now());
    }
}

impl Slot {
    /// Unless a later one came meanwhile.
    fn hold_newer(&self, newer: Held) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_none_or(|held| held.fence < newer.fence) {
            *held = Some(newer);
        }
    }
}
