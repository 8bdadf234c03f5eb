//! Work that outlives the request that asked for it, and ends with the process.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// For how long a request waits for work that usually takes a moment.
const PATIENCE: Duration = Duration::from_secs(3);

/// The work under way.
pub(super) struct Background {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Background {
    /// None yet. Work is asked to end when `stop` fires.
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self { tasks: TaskTracker::new(), stop }
    }

    /// What tells work that the process is to end.
    pub(super) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Does `work`, whatever becomes of the request, and gives what it tells of itself; `None` where
    /// it tells nothing for a while, and goes on.
    pub(super) async fn begin<T, W>(&self, work: impl FnOnce(oneshot::Sender<T>) -> W) -> Option<T>
    where
        T: Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        self.tasks.spawn(work(tell));
        tokio::time::timeout(PATIENCE, told).await.ok()?.ok()
    }

    /// Does `work` to its end and gives what came of it, whatever becomes of the request that waits for it.
    ///
    /// # Errors
    /// Where it panicked.
    pub(super) async fn whole<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, JoinError> {
        self.tasks.spawn(work.in_current_span()).await
    }

    /// Waits until all of it has ended.
    pub(super) async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
