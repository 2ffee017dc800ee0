//! Liveness and readiness: what load balancers and orchestrators ask, with no key.
//!
//! Liveness says only that the process answers; it never touches the store, because restarting
//! memgate does not repair a disk. Readiness says whether traffic is welcome. Neither says more
//! than that to whoever asks.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use axum::{body::Body, response::Response};
use http::{HeaderValue, Request, StatusCode, header};

use super::{
    error::{JSON, Refusal},
    state::State,
};

const STARTING: u8 = 0;
const SERVING: u8 = 1;
const DRAINING: u8 = 2;

/// Whether traffic is welcome: not while starting, not while draining, not without the store.
#[derive(Debug, Default)]
pub struct Readiness {
    phase: AtomicU8,
    store_lost: AtomicBool,
}

impl Readiness {
    /// Everything is built and the listeners are bound. A drain that has begun is not undone.
    pub fn serving(&self) {
        let _ =
            self.phase.compare_exchange(STARTING, SERVING, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The server is asked to stop.
    pub fn draining(&self) {
        self.phase.store(DRAINING, Ordering::Relaxed);
    }

    /// Whether the databases could be used when they were used last.
    pub fn store(&self, usable: bool) {
        self.store_lost.store(!usable, Ordering::Relaxed);
    }

    /// Whether traffic is welcome.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == SERVING && !self.store_lost.load(Ordering::Relaxed)
    }
}

/// `GET /`, `/health`, `/healthz`.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a handler")]
pub(super) fn alive(_: &State, _: &Request<Body>) -> Result<Response, Refusal> {
    Ok(answer(StatusCode::OK, r#"{"status":"ok"}"#))
}

/// `GET /readyz`.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a handler")]
pub(super) fn ready(state: &State, _: &Request<Body>) -> Result<Response, Refusal> {
    let answer = if state.readiness.is_ready() {
        answer(StatusCode::OK, r#"{"status":"ready"}"#)
    } else {
        let mut answer = answer(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"unavailable"}"#);
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        answer
    };
    Ok(answer)
}

fn answer(status: StatusCode, body: &'static str) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_is_welcome_only_between_start_and_drain_and_with_a_store() {
        let readiness = Readiness::default();
        assert!(!readiness.is_ready(), "starting");
        readiness.serving();
        assert!(readiness.is_ready());
        readiness.store(false);
        assert!(!readiness.is_ready(), "without its store");
        readiness.store(true);
        assert!(readiness.is_ready());
        readiness.draining();
        readiness.serving();
        assert!(!readiness.is_ready(), "draining");
    }
}
