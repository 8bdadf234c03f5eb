//! Ctrl-C and SIGTERM: the first signal shuts the process down gracefully, the second ends it at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code that shells use for a process ended by Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Returns a token that is cancelled at the first signal; work in progress then saves a checkpoint.
pub(super) fn stop_on_signal() -> Result<CancellationToken, std::io::Error> {
    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let signalled = stop.clone();
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        signalled.cancel();
        either(&mut interrupt, &mut terminate).await;
        std::process::exit(INTERRUPTED);
    });
    Ok(stop)
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
