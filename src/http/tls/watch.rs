//! Looks at the files again, every so often and whenever it is told to.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Certificates;

/// Reloads the files every `reload_interval` and when `now` is notified (SIGHUP), until
/// `stopped`. Files are polled rather than watched, because that holds on every file system and
/// through the swapped links of a mounted secret.
pub async fn watch(certificates: Arc<Certificates>, now: Arc<Notify>, stopped: CancellationToken) {
    let interval = certificates.settings.reload_interval;
    loop {
        let wait = async {
            // Not a race that matters: a notice during a reload is kept for the next round.
            let _ = tokio::time::timeout(interval, now.notified()).await;
        };
        if stopped.run_until_cancelled(wait).await.is_none() {
            return;
        }
        let certificates = Arc::clone(&certificates);
        // Two small files, but a file system that hangs must not hang a worker thread. A failure
        // is logged where it happens, and shown by `status`.
        let _ = tokio::task::spawn_blocking(move || certificates.reload()).await;
    }
}
