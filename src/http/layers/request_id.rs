//! The request id: made here for every request, whatever the client sent.
//!
//! It stands in the answer's `X-Request-Id`, in the access log, in every error body and in the
//! audit record, so that a user can quote it and an operator can find it. A client's own id is
//! ignored: it could be forged, repeated, or carry control characters into a log.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{body::Body, response::Response};
use futures::FutureExt;
use http::{HeaderName, HeaderValue, Request};
use tower::service_fn;

use super::Stage;
use crate::domain::random::{self, Entropy};

/// The header that carries it back.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Characters in an id, each out of one random byte.
const ID_BYTES: usize = 15;
/// Random bytes fetched at once: one call of the operating system serves many requests.
const POOL_BYTES: usize = ID_BYTES * 256;

/// One request's id, found in the request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// Makes ids. They are random rather than counted, because a counter would tell one tenant how
/// busy the others are.
#[derive(Debug)]
pub struct RequestIds {
    entropy: Arc<dyn Entropy>,
    pool: Mutex<Vec<u8>>,
}

impl RequestIds {
    /// Ids out of this randomness.
    #[must_use]
    pub fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { entropy, pool: Mutex::new(Vec::with_capacity(POOL_BYTES)) }
    }

    /// A new id: fifteen characters of five random bits each.
    #[must_use]
    pub fn next(&self) -> RequestId {
        let mut text = [0_u8; ID_BYTES];
        {
            let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
            if pool.len() < ID_BYTES {
                pool.resize(POOL_BYTES, 0);
                self.entropy.fill(&mut pool);
            }
            for slot in &mut text {
                *slot = random::character(pool.pop().unwrap_or_default());
            }
        }
        RequestId(HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("0")))
    }
}

/// Gives every request an id and every answer the same.
pub fn layer(ids: Arc<RequestIds>, inner: impl Stage) -> impl Stage {
    let mut inner = inner;
    service_fn(move |mut request: Request<Body>| {
        let id = ids.next();
        request.extensions_mut().insert(id.clone());
        inner.call(request).map(move |answer| {
            answer.map(|mut response: Response| {
                response.headers_mut().insert(HEADER, id.0);
                response
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::domain::random::OsEntropy;

    #[test]
    fn ids_are_short_plain_and_never_the_same() {
        let ids = RequestIds::new(Arc::new(OsEntropy));
        let made: HashSet<_> = (0..10_000).map(|_| ids.next().as_str().to_owned()).collect();
        assert_eq!(made.len(), 10_000);
        assert!(
            made.iter()
                .all(|id| id.len() == ID_BYTES && id.bytes().all(|b| b.is_ascii_alphanumeric()))
        );
    }
}
