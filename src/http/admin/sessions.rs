//! `/admin/sessions`: who is connected, and ending it.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use futures::{FutureExt, future::BoxFuture};
use http::Request;
use serde::Serialize;

use super::exchange::{id, ok};
use crate::{
    domain::{
        Error,
        session::{SessionId, SessionRecord},
    },
    http::{error::Refusal, state::State},
};

#[derive(Serialize)]
struct Sessions {
    active_sessions: usize,
    sessions: Vec<SessionRecord>,
}

/// `GET /admin/sessions`
pub(in crate::http) fn list(
    state: Arc<State>,
    _: Request<Body>,
) -> BoxFuture<'static, Result<Response, Refusal>> {
    let sessions = state.registry.ledger.list();
    let answer = ok(&Sessions { active_sessions: sessions.len(), sessions });
    std::future::ready(Ok(answer)).boxed()
}

/// `GET /admin/sessions/{id}`
pub(in crate::http) fn show(
    state: Arc<State>,
    request: Request<Body>,
) -> BoxFuture<'static, Result<Response, Refusal>> {
    let found = SessionId::parse(id(&request))
        .ok()
        .and_then(|id| state.registry.ledger.list().into_iter().find(|session| session.id == id));
    std::future::ready(found.map(|session| ok(&session)).ok_or_else(unknown)).boxed()
}

/// `DELETE /admin/sessions/{id}`: answers with the session as it was.
pub(in crate::http) fn end(
    state: Arc<State>,
    request: Request<Body>,
) -> BoxFuture<'static, Result<Response, Refusal>> {
    let ended = SessionId::parse(id(&request)).ok().and_then(|id| state.registry.ledger.end(&id));
    if let Some(session) = &ended {
        tracing::info!(session = %session.id, tenant = %session.tenant_id, "an operator ended a session");
    }
    std::future::ready(ended.map(|session| ok(&session)).ok_or_else(unknown)).boxed()
}

fn unknown() -> Refusal {
    Refusal::from(Error::not_found("session"))
}
