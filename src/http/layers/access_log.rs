//! Exactly one line for every request, whatever became of it.
//!
//! The line holds the method, the route's pattern (never the path, which may carry ids, and
//! never the query), the status, the time until the answer's head, the request id, the address,
//! and tenant and key once they are known. A caller who goes away before the answer leaves a
//! line too, with status 499. Every answer passes here, so a refusal is remembered here, with
//! what its layer knew, for `memgate policy explain`. INVARIANT I5: nothing that a client wrote is printed here.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{body::Body, response::Response};
use futures::FutureExt;
use http::{Method, Request};
use tower::service_fn;

use super::{Stage, client_address::ClientAddress, request_id::RequestId};
use crate::{
    audit::{
        Event, Outcome, Record, Recorder, Slot,
        record::{self, Who},
        slot::Target,
    },
    auth::{Principal, Rejection},
    domain::{action::Action, clock::Clock, key::KeyId},
    policy::{Permit, permit::Because},
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
    method: &'static str,
    id: Option<RequestId>,
    address: Option<ClientAddress>,
    route: OnceLock<&'static str>,
    caller: OnceLock<Principal>,
    because: OnceLock<Because>,
    rejected: OnceLock<Rejection>,
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

    /// The caller may come here.
    pub fn permitted(&self, permit: &Permit) {
        let _ = self.because.set(Arc::clone(permit.because()));
    }

    /// A credential was refused, and this is why. For the operator: the caller never learns.
    pub(super) fn rejected(&self, rejection: &Rejection) {
        let _ = self.rejected.set(rejection.clone());
    }

    /// Who asked, where the request is known by, and what came of it.
    pub(super) fn record(&self, slot: &Slot, status: u16) -> Record<'_> {
        let who = Who { address: self.address.map(|a| a.0), ..self.who() };
        let what: Cow<'_, str> = match slot.method() {
            Some(method) => method.into(),
            None => format!("{} {}", self.method, self.route.get().copied().unwrap_or("-")).into(),
        };
        Record {
            request: self.id.as_ref().map_or("", RequestId::as_str),
            who,
            status: Some(status),
            detail: self.rejected.get().map(|rejection| rejection.reason().into()),
            policies: self.because.get().map_or(&[], |because| because),
            ..Record::new(Event::Request, what, Outcome::of_status(status))
        }
    }

    fn who(&self) -> Who<'_> {
        let claimed = self.rejected.get().and_then(Rejection::claimed).map(KeyId::as_str);
        self.caller.get().map_or_else(|| Who { claimed, ..Who::default() }, Who::of)
    }
}

/// Writes the line, counts the answer, and records what nobody has recorded (I10).
pub fn layer(
    clock: Arc<dyn Clock>,
    stats: Arc<Stats>,
    audit: Arc<Recorder>,
    inner: impl Stage,
) -> impl Stage {
    let mut inner = inner;
    service_fn(move |mut request: Request<Body>| {
        let line = Arc::new(Line {
            method: method(request.method()),
            id: request.extensions().get().cloned(),
            address: request.extensions().get().copied(),
            ..Line::default()
        });
        let slot = Slot::default();
        request.extensions_mut().insert(Arc::clone(&line));
        request.extensions_mut().insert(slot.clone());
        let open = Open {
            line,
            slot,
            started: clock.monotonic(),
            clock: Arc::clone(&clock),
            stats: Arc::clone(&stats),
            audit: Arc::clone(&audit),
            status: GONE,
            why: None,
            target: None,
        };
        inner.call(request).map(move |answer| {
            let mut open = open;
            answer.map(|mut response: Response| {
                open.status = response.status().as_u16();
                open.why = response.extensions_mut().remove();
                open.target = response.extensions_mut().remove();
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
    slot: Slot,
    started: Duration,
    clock: Arc<dyn Clock>,
    stats: Arc<Stats>,
    audit: Arc<Recorder>,
    status: u16,
    why: Option<Why>,
    target: Option<Target>,
}

impl Open {
    /// INVARIANT I10: a request of a known caller, and every refusal, leaves a record; what
    /// anybody may read and was given (health, a preflight) is no decision about anybody.
    fn record(&self, why: Option<&Why>) {
        let known = self.line.caller.get().is_some();
        if self.slot.is_claimed() || !(known || why.is_some()) {
            return;
        }
        let mut record = self.line.record(&self.slot, self.status);
        record.target = self.target.as_ref().map(|target| target.0.as_str());
        // A JSON-RPC error inside a 200.
        if let (Outcome::Allowed, Some(failure)) = (record.outcome, self.slot.failure()) {
            record.outcome = failure;
            record.layer = Some(match failure {
                Outcome::Failed => Layer::Failure,
                _ => Layer::Protocol,
            });
        }
        let Some(why) = why else { return self.audit.record(&record) };
        let rules: Vec<Box<str>> = why.rules.iter().map(|rule| rule.as_str().into()).collect();
        record.layer = Some(why.layer);
        record.policies = &rules;
        record.action = why.action.map(Action::as_str);
        record.resource = why.resource.as_ref().map(record::resource);
        // SECURITY: what costs the caller nothing must not cost us a disk (I7).
        if known && record.outcome != Outcome::Limited {
            self.audit.record(&record);
        } else {
            self.audit.record_refusal(why.layer, &record);
        }
    }

    fn remember(&mut self) {
        let failed = self.status >= 400 && self.status != GONE;
        let unsaid = || Why::new(Layer::Failure, "the answer was an error");
        let why = self.why.take().or_else(|| failed.then(unsaid));
        self.record(why.as_ref());
        let Some(why) = why else { return };
        let Some(id) = &self.line.id else { return };
        let caller = self.line.caller.get();
        let asked = Asked {
            key: caller.map(|caller| caller.key_id().clone()),
            tenant: caller.and_then(Principal::tenant).map(|tenant| tenant.id.clone()),
            address: self.line.address.map(|address| address.0),
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
            method = self.line.method,
            route = self.line.route.get().copied().unwrap_or("-"),
            status = self.status,
            duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            request_id = self.line.id.as_ref().map_or("", RequestId::as_str),
            address = self.line.address.map(|a| tracing::field::display(a.0)),
            tenant = caller.and_then(Principal::tenant).map(|tenant| tenant.id.as_str()),
            key = caller.map(|caller| caller.key_id().as_str()),
            "request"
        );
    }
}
