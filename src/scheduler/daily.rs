//! Daily work. The first replica to get to it does it for all.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;

/// The daily work that this process is running, if any.
#[derive(Debug, Default)]
pub(super) struct Daily(Option<JoinHandle<()>>);

impl Daily {
    /// Starts the daily work in a separate task, unless this process is already running it. The task
    /// does nothing if the work was already done today.
    pub(super) fn start(&mut self, app: &Arc<App>, stop: &CancellationToken) {
        if self.0.as_ref().is_none_or(JoinHandle::is_finished) {
            self.0 = Some(tokio::spawn(erase_departed(app.clone(), stop.clone())));
        }
    }

    /// Waits until this process's daily work has ended.
    pub(super) async fn drain(&mut self) {
        if let Some(task) = self.0.take() {
            // A panic has already been logged, and the task's lease expires by itself.
            let _ = task.await;
        }
    }
}

async fn erase_departed(app: Arc<App>, stop: CancellationToken) {
    match app.erase_departed(&stop).await {
        Ok(None) => {}
        Ok(Some(forgotten)) => {
            tracing::info!(privacy.forgotten = forgotten, "deleted followers who left long ago");
        }
        Err(error) => {
            tracing::warn!(%error, "could not delete followers who left long ago, will try again");
        }
    }
}
