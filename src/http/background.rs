//! Tasks that outlive the request that started them. Shutdown waits for them.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// How long a request waits for the report of a task that usually takes milliseconds.
const REPORT_TIMEOUT: Duration = Duration::from_secs(3);

/// The running tasks.
pub(super) struct Background {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Background {
    /// Creates an empty set of tasks, which are asked to end when `stop` fires.
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self { tasks: TaskTracker::new(), stop }
    }

    /// The token that fires when the process shuts down.
    pub(super) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Spawns `work`, which continues if the request is cancelled, and returns what it reports through its
    /// channel. Returns `None` if it reports nothing within 3 s.
    pub(super) async fn spawn<T, W>(&self, work: impl FnOnce(oneshot::Sender<T>) -> W) -> Option<T>
    where
        T: Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let (sender, report) = oneshot::channel();
        self.tasks.spawn(work(sender));
        tokio::time::timeout(REPORT_TIMEOUT, report).await.ok()?.ok()
    }

    /// Runs `work` to completion, even if the request is cancelled, and returns its output.
    ///
    /// # Errors
    /// If `work` panicked.
    pub(super) async fn run_to_completion<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, JoinError> {
        self.tasks.spawn(work.in_current_span()).await
    }

    /// Waits until all tasks have ended.
    pub(super) async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
