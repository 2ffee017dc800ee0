//! Who is calling: from here on the request carries its `Principal`.
//!
//! The answer to every bad credential is the same 401; why it is bad, and the key that it claims to
//! be, go on record (`i10_a_refused_credential_is_told_from_others`). Nothing inside this layer is reached
//! without a principal, and the principal is the only source of a tenant (I1).

use std::sync::Arc;

use axum::body::Body;
use http::Request;
use tower::service_fn;

use super::{Stage, access_log::Line, client_address::ClientAddress};
use crate::{
    auth::{Authenticator, Origin, Principal, Rejection, Via},
    domain::{Error, Kind},
    http::{
        error::{Asker, Layer, Refusal},
        resource::Challenges,
        server::peer::{Peer, Surface},
    },
};

/// Lets known callers through.
pub fn layer(
    authenticator: Arc<Authenticator>,
    challenges: Challenges,
    inner: impl Stage,
) -> impl Stage {
    let challenges = Arc::new(challenges);
    service_fn(move |request: Request<Body>| {
        let (authenticator, challenges) = (Arc::clone(&authenticator), Arc::clone(&challenges));
        let mut inner = inner.clone();
        async move {
            let asker = Asker::of(&request);
            let (mut parts, body) = request.into_parts();
            let peer = parts.extensions.get::<Arc<Peer>>();
            let origin = Origin {
                address: parts.extensions.get::<ClientAddress>().map_or(Peer::LOCAL, |a| a.0),
                via: match peer.map(|peer| peer.surface) {
                    Some(Surface::Control) => Via::ControlSocket,
                    _ => Via::Network,
                },
                // INVARIANT I1: what our own handshake verified, and no header.
                certificate: peer.and_then(|peer| peer.certificate.as_ref()),
            };
            let mut answer = match authenticator.authenticate(&parts, origin).await {
                Ok(principal) => {
                    if let Some(line) = parts.extensions.get::<Arc<Line>>() {
                        line.known(&principal);
                    }
                    parts.extensions.insert(principal);
                    inner.call(Request::from_parts(parts, body)).await?
                }
                Err(error) => {
                    let line = parts.extensions.get::<Arc<Line>>();
                    if let (Some(line), Some(why)) = (line, Rejection::behind(&error)) {
                        line.rejected(why);
                    }
                    Refusal::from(error).by(Layer::Credential).answer(&asker)
                }
            };
            challenges.put_into(&mut answer);
            Ok(answer)
        }
    })
}

/// The principal of a request that came through this layer.
///
/// # Errors
/// 401 for one that did not: a stage that asks is never reached without it, and if it were,
/// nobody would be let in (I3).
pub fn principal(request: &Request<Body>) -> Result<&Principal, Refusal> {
    request
        .extensions()
        .get()
        .ok_or_else(|| Refusal::from(Error::new(Kind::Unauthenticated, "unauthorized")))
}
