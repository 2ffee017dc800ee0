//! Liveness and readiness: what load balancers and orchestrators ask, with no key.
//!
//! Liveness says only that the process answers; it never touches the store, because restarting
//! memgate does not repair a disk. Readiness says whether traffic is welcome. Neither says more
//! than that to whoever asks; why it is not welcome stands in `/admin/stats` and in the log.

use std::sync::{
    PoisonError, RwLock,
    atomic::{AtomicBool, AtomicU8, Ordering},
};

use axum::{body::Body, response::Response};
use http::{HeaderValue, Request, StatusCode, header};
use serde_json::json;

use super::{
    error::{JSON, Refusal},
    state::State,
};
use crate::{auth::Authenticator, db::disk::Disk};

const STARTING: u8 = 0;
const SERVING: u8 = 1;
const DRAINING: u8 = 2;

/// Whether traffic is welcome: not while starting, not while draining, not without the registry,
/// not while nothing can be stored. One tenant's fault is no reason (I11).
#[derive(Debug, Default)]
pub struct Readiness {
    phase: AtomicU8,
    registry_lost: AtomicBool,
    disk: RwLock<Disk>,
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

    /// Whether the registry could be written when it was written last.
    pub fn registry(&self, usable: bool) {
        self.registry_lost.store(!usable, Ordering::Relaxed);
    }

    /// What the disk was found to be when it was looked at last.
    pub fn disk(&self, disk: Disk) {
        *self.disk.write().unwrap_or_else(PoisonError::into_inner) = disk;
    }

    /// The same.
    #[must_use]
    pub fn disk_state(&self) -> Disk {
        *self.disk.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether traffic is welcome.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is_serving() && self.has_registry() && self.disk_state() == Disk::Writable
    }

    /// Whether it neither starts nor drains.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == SERVING
    }

    /// Whether tenants and keys can be written.
    #[must_use]
    pub fn has_registry(&self) -> bool {
        !self.registry_lost.load(Ordering::Relaxed)
    }
}

/// `GET /`, `/health`, `/healthz`.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a handler")]
pub(super) fn alive(_: &State, _: &Request<Body>) -> Result<Response, Refusal> {
    Ok(answer(StatusCode::OK, r#"{"status":"ok"}"#))
}

/// `GET /readyz`, and with `?verbose` what is ready and what is not. SECURITY: anybody may ask, so
/// the names of the parts and two words are all there is: no path, no tenant, no number.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a handler")]
pub(super) fn ready(state: &State, request: &Request<Body>) -> Result<Response, Refusal> {
    if request.uri().query() == Some("verbose") {
        return Ok(verbose(state));
    }
    let answer = if state.readiness.is_ready() {
        answer(StatusCode::OK, r#"{"status":"ready"}"#)
    } else {
        let mut answer = answer(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"unavailable"}"#);
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        answer
    };
    Ok(answer)
}

/// `ok`, or `degraded`: what worked before still does, and somebody should look.
fn verbose(state: &State) -> Response {
    let is_ready = state.readiness.is_ready();
    let tls = state.certificates.as_ref().map(|certificates| certificates.status());
    let checks = [
        ("serving", Some(state.readiness.is_serving())),
        ("registry", Some(state.readiness.has_registry())),
        ("disk", Some(state.readiness.disk_state() == Disk::Writable)),
        ("policies", Some(state.engine.is_current())),
        ("issuers", issuers(&state.authenticator)),
        ("audit", Some(state.audit.status().writable)),
        ("certificates", tls.map(|tls| tls.problem.is_none())),
    ];
    let checks = checks.into_iter().filter_map(|(name, is_ok)| Some((name, is_ok?)));
    let checks: Vec<_> = checks
        .map(|(name, is_ok)| json!({"name": name, "state": if is_ok { "ok" } else { "degraded" }}))
        .collect();
    let status = if is_ready { "ready" } else { "unavailable" };
    let body = json!({"status": status, "checks": checks}).to_string();
    let code = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut answer = answer(code, body);
    if !is_ready {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

/// Whether the tokens of every issuer can be verified; nothing where there is none.
fn issuers(authenticator: &Authenticator) -> Option<bool> {
    let issuers = authenticator.issuers();
    (!issuers.is_empty()).then(|| issuers.iter().all(|issuer| issuer.usable))
}

fn answer(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_is_welcome_only_between_start_and_drain_and_while_something_can_be_stored() {
        let readiness = Readiness::default();
        assert!(!readiness.is_ready(), "starting");
        readiness.serving();
        assert!(readiness.is_ready());
        readiness.registry(false);
        assert!(!readiness.is_ready(), "without its registry");
        readiness.registry(true);
        for disk in [Disk::Full, Disk::ReadOnly, Disk::Failing] {
            readiness.disk(disk);
            assert!(!readiness.is_ready(), "{disk:?}");
        }
        readiness.disk(Disk::Writable);
        assert!(readiness.is_ready());
        readiness.draining();
        readiness.serving();
        assert!(!readiness.is_ready(), "draining");
    }
}
