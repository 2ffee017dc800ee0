//! What travels with one request from the gateway to the handler, and back.
//!
//! The protocol library hands a handler the parts of the HTTP request it is serving, and nothing
//! else that can be trusted: sessions know no caller, and task-locals do not reach it. So the
//! caller rides in the request's extensions. INVARIANT I1: a handler that finds no [`Visit`]
//! refuses (`i1_without_a_visit_there_is_no_tenant`).

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use rmcp::{RoleServer, model::ErrorData, service::RequestContext};
use tokio_util::sync::CancellationToken;

use super::endpoint::Known;
use crate::{
    audit::Outcome,
    domain::{Error, Kind, client::ClientInfo},
};

/// One request of a known caller.
#[derive(Debug)]
pub struct Visit {
    known: Known,
    client: ClientInfo,
    /// Cancelled when nobody waits for the answer any more.
    over: CancellationToken,
    failed: AtomicBool,
    /// The error that outweighs whatever the handler made of it: its kind and its sentence.
    overruled: OnceLock<(Kind, String)>,
}

impl Visit {
    /// A request; `client` is what it says of itself, now or when its session was opened.
    #[must_use]
    pub fn new(known: Known, client: ClientInfo) -> Arc<Self> {
        Arc::new(Self {
            known,
            client,
            over: CancellationToken::new(),
            failed: AtomicBool::new(false),
            overruled: OnceLock::new(),
        })
    }

    /// The visit that a handler is serving.
    ///
    /// # Errors
    /// An internal error when there is none; the handler must go no further.
    pub fn of(context: &RequestContext<RoleServer>) -> Result<Arc<Self>, ErrorData> {
        context
            .extensions
            .get::<http::request::Parts>()
            .and_then(|parts| parts.extensions.get::<Arc<Self>>())
            .cloned()
            .ok_or_else(|| {
                tracing::error!("a request reached its handler without its caller");
                ErrorData::internal_error("internal error", None)
            })
    }

    /// Who calls.
    #[must_use]
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// What the client says it is.
    #[must_use]
    pub fn client(&self) -> &ClientInfo {
        &self.client
    }

    /// Cancelled when the request has gone without its answer: the library runs a handler in a
    /// task of its own, and nothing else would stop it (I9, I11).
    #[must_use]
    pub fn over(&self) -> &CancellationToken {
        &self.over
    }

    /// The request was answered with an error.
    pub fn fail(&self) {
        self.fail_as(Outcome::Refused);
    }

    /// The same, and what it comes to in the record of decisions. INVARIANT I10: an error inside
    /// a 200 is on record as one (`i10_an_error_inside_a_200_is_no_success`).
    pub fn fail_as(&self, outcome: Outcome) {
        self.failed.store(true, Ordering::Relaxed);
        self.known.slot.failed(outcome);
    }

    /// The request ended with `error`. A limit, a store that is down or a missing scope belongs
    /// into the HTTP status, where proxies and clients look for it and for what to do; the gateway puts it
    /// there as long as no answer has begun to stream.
    pub fn fail_with(&self, error: &Error) {
        let kind = error.kind();
        self.fail_as(Outcome::of(kind));
        if matches!(
            kind,
            Kind::LimitReached { .. }
                | Kind::Overloaded { .. }
                | Kind::Unavailable
                | Kind::ScopeMissing(_)
        ) {
            // The first error is the cause of any other.
            let _ = self.overruled.set((kind, error.public().to_owned()));
        }
    }

    /// What outweighs the handler's answer, if anything does.
    #[must_use]
    pub fn overruled(&self) -> Option<Error> {
        self.overruled.get().map(|(kind, public)| Error::new(*kind, public.clone()))
    }

    /// Was it?
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}
