//! What is done once a day, by whichever replica comes first.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// The day's work of this process, if it is at it.
#[derive(Debug, Default)]
pub(super) struct Daily(Option<JoinHandle<()>>);

impl Daily {
    /// Does the day's work unless it was done.
    pub(super) fn start(&mut self, app: &Arc<App>, stop: &CancellationToken) {
        if self.0.as_ref().is_none_or(JoinHandle::is_finished) {
            self.0 = Some(tokio::spawn(forget_departed(app.clone(), stop.clone())));
        }
    }

    /// Waits until this process is not at it any more.
    pub(super) async fn drain(&mut self) {
        if let Some(work) = self.0.take() {
            // One that panicked has been logged; its lease ends by itself.
            let _ = work.await;
        }
    }
}

async fn forget_departed(app: Arc<App>, stop: CancellationToken) {
    match app.forget_departed(&stop).await {
        Ok(None) => {}
        Ok(Some(forgotten)) => {
            tracing::info!(privacy.forgotten = forgotten, "forgot followers who left long ago");
        }
        Err(error) => {
            tracing::warn!(%error, "could not forget followers who left long ago, will try again");
        }
    }
}
