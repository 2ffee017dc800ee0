//! One connection, from its handshake to its last byte.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use axum::body::Body;
use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;

use super::{
    accept::Serving,
    activity::{Activity, Answer},
    peer::Peer,
    timed::Timed,
    unreadable::Answering,
};
use crate::http::layers::Stage;

/// Ends TLS where it is spoken, within its deadline, and serves what is inside.
pub(super) async fn run<S: Stage>(stream: TcpStream, mut peer: Peer, serving: Serving<S>) {
    let Some(certificates) = &serving.certificates else {
        return serve(stream, peer, serving).await;
    };
    let handshake = TlsAcceptor::from(certificates.config()).accept(stream);
    let stream = match tokio::time::timeout(serving.settings.handshake_timeout, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%error, address = %peer.address, "a TLS handshake failed");
            return;
        }
        Err(_) => {
            tracing::debug!(address = %peer.address, "a TLS handshake took too long");
            return;
        }
    };
    peer.encrypted = true;
    let session = stream.get_ref().1;
    peer.server_name = session.server_name().map(Into::into);
    peer.certificate = certificates.admit(session);
    let Some(gone) = peer.certificate.as_ref().map(|shown| shown.gone().clone()) else {
        return serve(stream, peer, serving).await;
    };
    // INVARIANT I9: whatever is open here was opened on the trust in this certificate, streams of
    // a key beside it included. Test: `i9_a_connection_ends_with_its_authority`.
    let address = peer.address;
    if gone.run_until_cancelled(serve(stream, peer, serving)).await.is_none() {
        tracing::debug!(%address, "a connection ended with its client certificate");
    }
}

/// Serves requests until the client goes, a deadline passes, or the server stops and the last
/// answer is out.
pub(super) async fn serve<S, IO>(stream: IO, peer: Peer, serving: Serving<S>)
where
    S: Stage,
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new();
    let peer = Arc::new(peer);
    let address = peer.address;
    // hyper calls by shared reference and a stage wants a unique one; the lock is held while the
    // answer's future is made, never while it runs.
    let stage = Arc::new(Mutex::new(serving.stage));
    let timed = Timed::new(stream, Arc::clone(&activity), &serving.settings);
    let io = TokioIo::new(Answering::new(
        timed,
        Arc::clone(&activity),
        Arc::clone(&stage),
        Arc::clone(&peer),
    ));
    let draining = Arc::clone(&activity);
    let service = service_fn(move |request: Request<Incoming>| {
        let under_way = activity.begin();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Arc::clone(&peer));
        let answer = stage.lock().unwrap_or_else(PoisonError::into_inner).call(request);
        async move {
            answer.await.map(|response: Response<Body>| response.map(|b| Answer::new(b, under_way)))
        }
    });
    let mut connection = pin!(serving.protocol.serve_connection(io, service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = serving.asked.cancelled() => {
            draining.drain();
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %address, "a connection broke");
    }
}
