//! The accept loop of one listener.

use std::{io, sync::Arc, time::Duration};

use hyper_util::server::conn::auto;
use tokio::net::{TcpStream, UnixStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Door,
    bind::Listener,
    caps::{Caps, Place},
    connection,
    peer::Peer,
    protocol::Tracked,
};
use crate::{config::listen::Listen, http::layers::Stage, http::tls::Certificates};

/// After a failed accept (usually: too many open files) the loop breathes before it tries again.
const BREATHER: Duration = Duration::from_millis(50);

/// What one listener needs for each of its connections.
#[derive(Clone)]
pub(super) struct Serving<S> {
    pub(super) door: Door,
    pub(super) stage: S,
    pub(super) settings: Arc<Listen>,
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) caps: Arc<Caps>,
    pub(super) protocol: Arc<auto::Builder<Tracked>>,
    pub(super) connections: TaskTracker,
    pub(super) asked: CancellationToken,
    pub(super) cut: CancellationToken,
}

/// A connection that was just accepted.
enum Accepted {
    Tcp(TcpStream, Peer),
    Unix(UnixStream, Peer),
}

/// Accepts until asked to stop. The listener is closed on return.
pub(super) async fn run<S: Stage>(listener: Listener, serving: Serving<S>) {
    loop {
        let next = async {
            // The place comes first: while there is none, the kernel's queue holds the callers.
            let overall = serving.caps.wait(serving.door.surface).await?;
            Some((overall, accept(&listener, &serving.door).await))
        };
        let Some(Some((overall, accepted))) = serving.asked.run_until_cancelled(next).await else {
            return;
        };
        match accepted {
            Ok(accepted) => {
                let address = match &accepted {
                    Accepted::Tcp(_, peer) => Some(peer.address),
                    Accepted::Unix(..) => None,
                };
                if let Some(place) = serving.caps.take(overall, address) {
                    spawn(&serving, accepted, place);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                serving.asked.run_until_cancelled(tokio::time::sleep(BREATHER)).await;
            }
        }
    }
}

async fn accept(listener: &Listener, door: &Door) -> io::Result<Accepted> {
    let peer = |address| Peer {
        address,
        surface: door.surface,
        encrypted: false,
        server_name: None,
        certificate: None,
    };
    match listener {
        Listener::Tcp(listener) => {
            let (stream, from) = listener.accept().await?;
            // Small writes (an event stream's) must not wait for the last one's receipt: that
            // costs 40 ms each.
            stream.set_nodelay(true)?;
            Ok(Accepted::Tcp(stream, peer(from.ip().to_canonical())))
        }
        Listener::Unix { listener, .. } => {
            let (stream, _) = listener.accept().await?;
            Ok(Accepted::Unix(stream, peer(Peer::LOCAL)))
        }
    }
}

fn spawn<S: Stage>(serving: &Serving<S>, accepted: Accepted, place: Place) {
    let serving = serving.clone();
    let cut = serving.cut.clone();
    let connections = serving.connections.clone();
    connections.spawn(async move {
        let _place = place;
        let connection = async {
            match accepted {
                Accepted::Tcp(stream, peer) => connection::run(stream, peer, serving).await,
                Accepted::Unix(stream, peer) => connection::serve(stream, peer, serving).await,
            }
        };
        cut.run_until_cancelled(connection).await;
    });
}
