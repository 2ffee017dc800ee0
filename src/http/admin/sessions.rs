//! `/admin/sessions`: who is connected, and ending it.

use axum::{body::Body, response::Response};
use http::Request;
use serde::Serialize;

use super::exchange::{about, id, ok};
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
#[expect(clippy::unnecessary_wraps, reason = "the shape of a handler")]
pub(in crate::http) fn list(state: &State, _: &Request<Body>) -> Result<Response, Refusal> {
    let sessions = state.registry.ledger.list();
    Ok(ok(&Sessions { active_sessions: sessions.len(), sessions }))
}

/// `GET /admin/sessions/{id}`
pub(in crate::http) fn show(state: &State, request: &Request<Body>) -> Result<Response, Refusal> {
    let found = SessionId::parse(id(request))
        .ok()
        .and_then(|id| state.registry.ledger.list().into_iter().find(|session| session.id == id));
    found.map(|session| ok(&session)).ok_or_else(unknown)
}

/// `DELETE /admin/sessions/{id}`: answers with the session as it was.
pub(in crate::http) fn end(state: &State, request: &Request<Body>) -> Result<Response, Refusal> {
    let ended = SessionId::parse(id(request)).ok().and_then(|id| state.registry.ledger.end(&id));
    if let Some(session) = &ended {
        tracing::info!(session = %session.id, tenant = %session.tenant_id, "an operator ended a session");
    }
    ended.map(|session| about(&session.id, ok(&session))).ok_or_else(unknown)
}

fn unknown() -> Refusal {
    Refusal::from(Error::not_found("session"))
}
