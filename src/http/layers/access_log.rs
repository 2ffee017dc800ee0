//! Exactly one line for every request, whatever became of it.
//!
//! The line holds the method, the route's pattern (never the path, which may carry ids, and
//! never the query), the status, the time until the answer's head, the request id, the address,
//! and tenant and key once they are known. A caller who goes away before the answer leaves a
//! line too, with status 499. Every answer passes here, so a refusal is remembered here, with
//! what its layer knew, for `memgate policy explain`. INVARIANT I5: nothing that a client wrote is printed here.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{body::Body, response::Response};
use futures::FutureExt;
use http::{Method, Request};
use tower::service_fn;

use super::{Stage, client_address::ClientAddress, request_id::RequestId};
use crate::{
    auth::Principal,
    domain::clock::Clock,
    telemetry::{
        refusals::{Asked, Layer, Why},
        stats::Stats,
    },
};

/// The status of a request whose caller did not wait for the answer (nginx's number for it).
const GONE: u16 = 499;

/// What the stages inside learn and the line tells; in the request's extensions as `Arc<Line>`.
#[derive(Debug, Default)]
pub struct Line {
    route: OnceLock<&'static str>,
    caller: OnceLock<Principal>,
}

impl Line {
    /// The request goes to this row of the route table.
    pub fn routed(&self, pattern: &'static str) {
        let _ = self.route.set(pattern);
    }

    /// The caller is known.
    pub fn known(&self, principal: &Principal) {
        let _ = self.caller.set(principal.clone());
    }
}

/// Writes the line and counts the answer.
pub fn layer(clock: Arc<dyn Clock>, stats: Arc<Stats>, inner: impl Stage) -> impl Stage {
    let mut inner = inner;
    service_fn(move |mut request: Request<Body>| {
        let line = Arc::new(Line::default());
        request.extensions_mut().insert(Arc::clone(&line));
        let open = Open {
            line,
            method: method(request.method()),
            id: request.extensions().get().cloned(),
            address: request.extensions().get().copied(),
            started: clock.monotonic(),
            clock: Arc::clone(&clock),
            stats: Arc::clone(&stats),
            status: GONE,
            why: None,
        };
        inner.call(request).map(move |answer| {
            let mut open = open;
            answer.map(|mut response: Response| {
                open.status = response.status().as_u16();
                open.why = response.extensions_mut().remove();
                response
            })
        })
    })
}

/// The methods we know, so that no text of a client's making gets into a log.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ => "OTHER",
    }
}

/// A request under way. Its line is written when it is dropped, so that there is no way out
/// without one.
struct Open {
    line: Arc<Line>,
    method: &'static str,
    id: Option<RequestId>,
    address: Option<ClientAddress>,
    started: Duration,
    clock: Arc<dyn Clock>,
    stats: Arc<Stats>,
    status: u16,
    why: Option<Why>,
}

impl Open {
    fn remember(&mut self) {
        let failed = self.status >= 400 && self.status != GONE;
        let unsaid = || Why::new(Layer::Failure, "the answer was an error");
        let Some(why) = self.why.take().or_else(|| failed.then(unsaid)) else { return };
        let Some(id) = &self.id else { return };
        let caller = self.line.caller.get();
        let asked = Asked {
            key: caller.map(|caller| caller.key_id().clone()),
            tenant: caller.and_then(Principal::tenant).map(|tenant| tenant.id.clone()),
            address: self.address.map(|address| address.0),
            route: self.line.route.get().copied(),
            what: None,
        };
        let refusals = &self.stats.refusals;
        refusals.note(id.as_str(), self.clock.now(), why, Some(self.status), asked);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let took = self.clock.monotonic().saturating_sub(self.started);
        self.stats.response(self.status, took);
        self.remember();
        if !tracing::enabled!(target: "memgate::access", tracing::Level::INFO) {
            return;
        }
        let caller = self.line.caller.get();
        tracing::info!(
            target: "memgate::access",
            method = self.method,
            route = self.line.route.get().copied().unwrap_or("-"),
            status = self.status,
            duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            request_id = self.id.as_ref().map_or("", RequestId::as_str),
            address = self.address.map(|a| tracing::field::display(a.0)),
            tenant = caller.and_then(Principal::tenant).map(|tenant| tenant.id.as_str()),
            key = caller.map(|caller| caller.key_id().as_str()),
            "request"
        );
    }
}
