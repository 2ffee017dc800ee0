//! What the system tells us: stop, or read the files again.

use std::sync::Arc;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

/// Cancels `asked` at the first SIGTERM or SIGINT, notifies `reload` at every SIGHUP, and ends
/// when `asked` is cancelled by anybody.
pub(super) async fn listen(asked: CancellationToken, reload: Arc<Notify>) {
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    );
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = signals else {
        tracing::error!("signals cannot be heard; end this process to stop it");
        return;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => asked.cancel(),
            _ = interrupt.recv() => asked.cancel(),
            _ = hangup.recv() => reload.notify_one(),
            () = asked.cancelled() => return,
        }
    }
}
