//! What travels with one request from the gateway to the handler, and back.
//!
//! The protocol library hands a handler the parts of the HTTP request it is serving, and nothing
//! else that can be trusted: sessions know no caller, and task-locals do not reach it. So the
//! caller rides in the request's extensions. INVARIANT I1: a handler that finds no [`Visit`]
//! refuses (`i1_without_a_visit_there_is_no_tenant`).

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rmcp::{RoleServer, model::ErrorData, service::RequestContext};

use super::endpoint::Known;
use crate::domain::client::ClientInfo;

/// One request of a known caller.
#[derive(Debug)]
pub struct Visit {
    known: Known,
    client: Option<ClientInfo>,
    failed: AtomicBool,
}

impl Visit {
    /// A request; `client` is known beforehand in the stateless revision only.
    #[must_use]
    pub fn new(known: Known, client: Option<ClientInfo>) -> Arc<Self> {
        Arc::new(Self { known, client, failed: AtomicBool::new(false) })
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

    /// What the client says it is: in this request, or else when its session was opened.
    #[must_use]
    pub fn client(&self, context: &RequestContext<RoleServer>) -> ClientInfo {
        self.client.clone().unwrap_or_else(|| {
            context.client_info().map_or_else(ClientInfo::default, |client| {
                ClientInfo::new(&client.name, &client.version)
            })
        })
    }

    /// The request was answered with an error.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Was it?
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}
