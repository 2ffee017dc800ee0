//! Sockets: bound before they serve, capped, timed, drained.
//!
//! `axum::serve` sets no header timer and gives no access to HTTP/2 limits, so the accept loop
//! is our own, on hyper-util's builder. Binding comes first and alone ([`bind()`]), so that the
//! ports are known before the layers are built; then [`Bound::serve`] runs until it is asked to
//! stop, and returns when the last connection is gone. INVARIANT I12: every task is tracked, and
//! after a drain nothing runs (test `i12_after_a_drain_nothing_runs`).

mod accept;
mod activity;
mod bind;
mod caps;
mod connection;
pub mod peer;
mod protocol;
mod timed;
pub mod unreadable;

use std::{net::SocketAddr, sync::Arc};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::bind::bind;
use self::{accept::Serving, bind::Listener, caps::Caps, peer::Surface};
use super::{layers::Stage, tls::Certificates};
use crate::config::listen::Listen;

/// A listener that is bound: what the layers on it need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Door {
    /// What is served there.
    pub surface: Surface,
    /// The bound address, with the real port; `None` for the Unix socket.
    pub address: Option<SocketAddr>,
    /// Whether we end TLS there.
    pub encrypted: bool,
}

/// Every listener, bound and not yet serving.
#[derive(Debug)]
pub struct Bound {
    settings: Listen,
    certificates: Option<Arc<Certificates>>,
    listeners: Vec<(Door, Listener)>,
}

/// How a server is asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Cancelled from outside: accept nothing more, let what is under way finish.
    pub asked: CancellationToken,
    /// Cancelled by the server once it accepts nothing more: open streams end themselves.
    pub streams: CancellationToken,
}

/// How a drain went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still busy at the deadline, and were cut.
    pub cut: usize,
}

impl Bound {
    /// The listeners, in the order in which they were bound.
    pub fn doors(&self) -> impl Iterator<Item = Door> {
        self.listeners.iter().map(|(door, _)| *door)
    }

    /// The address of a listener.
    #[must_use]
    pub fn address(&self, surface: Surface) -> Option<SocketAddr> {
        self.doors().find(|door| door.surface == surface)?.address
    }

    /// Serves on every listener until `stop.asked` is cancelled, then drains: accepts nothing
    /// more, ends the open streams, lets requests under way finish for `drain_timeout`, and cuts
    /// what is left.
    pub async fn serve<S: Stage>(
        self,
        stack: impl Fn(Door) -> S,
        stop: Stop,
        tracker: &TaskTracker,
    ) -> Drained {
        let Self { settings, certificates, listeners } = self;
        let caps = Arc::new(Caps::new(&settings));
        let connections = TaskTracker::new();
        let cut = CancellationToken::new();
        let accepting = TaskTracker::new();
        let drain_timeout = settings.drain_timeout;
        let settings = Arc::new(settings);
        for (door, listener) in listeners {
            let serving = Serving {
                door,
                stage: stack(door),
                settings: Arc::clone(&settings),
                certificates: certificates.clone().filter(|_| door.encrypted),
                caps: Arc::clone(&caps),
                protocol: Arc::new(protocol::builder(&settings, &connections, &cut)),
                connections: connections.clone(),
                asked: stop.asked.clone(),
                cut: cut.clone(),
            };
            tracker.spawn(accepting.track_future(accept::run(listener, serving)));
        }
        accepting.close();
        accepting.wait().await;
        stop.streams.cancel();
        connections.close();
        let in_time = tokio::time::timeout(drain_timeout, connections.wait()).await.is_ok();
        let left = if in_time { 0 } else { caps.open() };
        cut.cancel();
        connections.wait().await;
        Drained { cut: left }
    }
}

#[cfg(test)]
mod tests;
