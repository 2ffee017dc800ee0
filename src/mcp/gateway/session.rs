//! The sessions of the 2025 revisions: opened by `initialize`, used by POST and GET, ended by
//! DELETE, by an operator, by idleness, or with their key.
//!
//! INVARIANT I8: the library takes a session id from anybody, so each use asks the ledger first
//! whether the session belongs to the key that calls. The ledger's entry and the library's
//! session live and die together: [`Gateway::tie`] watches for the end of the one and closes
//! the other.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode, header, request::Parts};
use rmcp::transport::streamable_http_server::session::SessionManager as _;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{
    Answer, Body, Gateway, Handlers, Known, LiveBody, Refusal, Service, Tally, Tenant, Visit,
    post::{ended, length},
};
use crate::{
    domain::client::ClientInfo,
    mcp::{
        era::{self, Era},
        headers::{self, SESSION_ID},
        preparse::{Kind, Message},
        refusal::INVALID_REQUEST,
    },
    registry::ledger::Session,
};

impl<H: Handlers> Gateway<H> {
    /// `initialize`: a place in the ledger first, then a session of the library.
    pub(super) async fn open(
        &self,
        mut parts: Parts,
        body: Bytes,
        message: &Message<'_>,
        tenant: &Tenant,
        known: Known,
    ) -> Answer {
        // A client that lost its session may still send the old id along; it opens a new one.
        parts.headers.remove(SESSION_ID);
        let client = ClientInfo::new(&message.client.name, &message.client.version);
        let protocol = era::negotiated(message.offered_version.as_deref()).to_owned();
        let caller = known.principal.caller(client.clone(), protocol, known.address);
        let reservation = self.means.ledger.reserve(caller)?;
        if self.quiet.is_some() {
            return self.begin(&body, message, tenant, reservation);
        }
        let place = self.place(tenant)?;
        let service = self.services.of(tenant)?;
        let visit = Visit::new(known, client);

        // In a task, because a client that hangs up half-way would else leave a session that
        // the library has opened and the ledger does not know.
        let (sender, receiver) = oneshot::channel();
        let (means, opening, seen) = (self.means.clone(), Arc::clone(&service), Arc::clone(&visit));
        let bytes = length(&body);
        self.means.tasks.spawn(async move {
            let opened = Self::serve(&opening, parts, body, seen).await.map(|response| {
                let id = response.headers().get(SESSION_ID).and_then(|id| id.to_str().ok());
                let session = id.map(|id| {
                    let session = reservation.bind(id);
                    let tie = Self::tie(Arc::clone(&session), opening, id.into(), means.stop);
                    means.tasks.spawn(tie);
                    session
                });
                (response, session)
            });
            if let Err(Ok((_, Some(session)))) = sender.send(opened) {
                session.close();
            }
        });
        let (response, session) = receiver.await.map_err(|_| Refusal::internal())??;
        let Some(session) = session else {
            // The library has opened nothing. Its own words, which repeat what came in, stay here.
            return Err(if response.status().is_client_error() {
                Refusal::unfit()
            } else {
                Refusal::internal()
            });
        };
        let tally = Tally::new(session, visit, bytes);
        self.release(response, tally, Some(place), service, tenant)
    }

    /// Closes the library's session when the ledger's entry ends. When the whole server stops,
    /// the library closes them all by itself.
    async fn tie(
        session: Arc<Session>,
        service: Arc<Service<H>>,
        id: Arc<str>,
        stop: CancellationToken,
    ) {
        if stop.run_until_cancelled(session.ended().cancelled()).await.is_none() {
            return;
        }
        if let Err(error) = service.sessions.close_session(&id).await {
            tracing::warn!(%error, session = %session.id(), "a session did not close cleanly");
        }
    }

    /// A message within a session.
    pub(super) async fn within(
        &self,
        parts: Parts,
        body: Bytes,
        message: &Message<'_>,
        tenant: &Tenant,
        mut known: Known,
    ) -> Answer {
        let session = self.session(&parts, &known)?;
        let request_place = known.place.take();
        let visit = Visit::new(known, session.client().clone());
        let tally = Tally::new(Arc::clone(&session), Arc::clone(&visit), length(&body));
        if let Some(direct) = self.direct(message, Era::Session) {
            return self.call_within(direct, message, visit, tally, request_place).await;
        }
        self.cancel(&session, message, &body);
        if self.quiet.is_some() {
            return self.quietly(parts, body, message, tenant, visit, tally).await;
        }
        let service = self.services.of(tenant)?;
        // In these revisions every answer of the library to a request is a stream.
        let place = if message.kind == Kind::Request { Some(self.place(tenant)?) } else { None };
        let key_gone = visit.known().principal.gone().clone();
        let answer = tokio::select! {
            biased;
            answer = Self::serve(&service, parts, body, visit) => answer,
            () = session.ended().cancelled() => Err(ended(&key_gone)),
        };
        if answer.as_ref().is_err_and(|refusal| refusal.status() == StatusCode::NOT_FOUND) {
            // The library has given it up: it was idle there, or its worker died.
            session.close();
        }
        self.release(answer?, tally, place, service, tenant)
    }

    /// GET: the stream of what the server has to say by itself.
    pub(super) async fn get(&self, mut parts: Parts, tenant: &Tenant, known: Known) -> Answer {
        headers::accepts_events(&parts.headers)?;
        if era::is_stateless(&parts.headers)? || !parts.headers.contains_key(SESSION_ID) {
            return Err(Refusal::method("POST"));
        }
        let session = self.session(&parts, &known)?;
        let place = self.place(tenant)?;
        if self.quiet.is_some() {
            return Ok(self.silence(&session, place));
        }
        let service = self.services.of(tenant)?;
        let visit = Visit::new(known, session.client().clone());
        parts.headers.insert(header::ACCEPT, headers::BOTH_MEDIA);
        let response = Self::serve(&service, parts, Bytes::new(), visit).await?;
        // Counted now: the stream may stay open for days.
        session.record(0, false);
        let body = |inner| Body::new(LiveBody::new(inner, &session, place, None, service));
        Ok(response.map(body))
    }

    /// DELETE: the client is done.
    pub(super) async fn delete(&self, parts: &Parts, tenant: &Tenant, known: &Known) -> Answer {
        if era::is_stateless(&parts.headers)? || !parts.headers.contains_key(SESSION_ID) {
            return Err(Refusal::method("POST"));
        }
        let session = self.session(parts, known)?;
        session.close();
        if let (None, Some(id)) = (&self.quiet, headers::one(&parts.headers, &SESSION_ID)?) {
            let service = self.services.of(tenant)?;
            // Now, not when the watcher comes to it: the answer says that it is done.
            let _ = service.sessions.close_session(&id.into()).await;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    /// The session that the request names, if it belongs to the calling key.
    fn session(&self, parts: &Parts, known: &Known) -> Result<Arc<Session>, Refusal> {
        let one = |()| Refusal::bad(INVALID_REQUEST, "the header `Mcp-Session-Id` must stand once");
        let id =
            headers::one(&parts.headers, &SESSION_ID).map_err(|_| one(()))?.ok_or_else(|| {
                Refusal::bad(
                    INVALID_REQUEST,
                    "no `Mcp-Session-Id`: send `initialize` first, or speak revision 2026-07-28",
                )
            })?;
        let session = self.means.ledger.find(known.principal.key_id(), id);
        let session = session.ok_or_else(Refusal::no_session)?;
        session.seen_from(known.address);
        session.presented(known.principal.proof());
        Ok(session)
    }
}
