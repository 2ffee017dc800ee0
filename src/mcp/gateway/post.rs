//! POST: one message.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{Response, header, request::Parts};
use tokio_util::sync::CancellationToken;

use super::{Answer, Gateway, Handlers, Known, Refusal, Tally, Tenant, Visit, whole};
use crate::{
    domain::{Error, Kind, client::ClientInfo},
    mcp::{
        era::{self, Era},
        headers::{self, SESSION_ID},
        methods,
        preparse::{self, Message},
    },
};

impl<H: Handlers> Gateway<H> {
    pub(super) async fn post(
        &self,
        parts: Parts,
        body: Body,
        tenant: &Tenant,
        known: Known,
    ) -> Response<Body> {
        let media = headers::content_type(&parts.headers)
            .and_then(|()| headers::accepts_both(&parts.headers));
        if let Err(refusal) = media {
            return refusal.answer("");
        }
        let body = match whole(body).await {
            Ok(body) => body,
            Err(refusal) => return refusal.answer(""),
        };
        let message = match preparse::read(&body) {
            Ok(message) => message,
            Err(flaw) => return Refusal::from(flaw).answer(""),
        };
        if let Some(method) = methods::known(&message.method) {
            known.slot.speaks_of(method);
        }
        self.message(parts, &body, &message, tenant, known)
            .await
            .unwrap_or_else(|refusal| refusal.answer(message.id))
    }

    async fn message(
        &self,
        mut parts: Parts,
        body: &Bytes,
        message: &Message<'_>,
        tenant: &Tenant,
        mut known: Known,
    ) -> Answer {
        let era = era::of(&parts.headers, message)?;
        if era != Era::Session {
            // Nothing of these goes on without its caller.
            known.place = None;
        }
        // One spelling for the library, which knows no `*/*`.
        parts.headers.insert(header::ACCEPT, headers::BOTH_MEDIA);
        match era {
            Era::Stateless => self.alone(parts, body, message, tenant, known).await,
            Era::Session => self.within(parts, body.clone(), message, tenant, known).await,
            Era::Initialize => self.open(parts, body.clone(), message, tenant, known).await,
        }
    }

    /// A request of the 2026-07-28 revision: everything is in it.
    async fn alone(
        &self,
        mut parts: Parts,
        body: &Bytes,
        message: &Message<'_>,
        tenant: &Tenant,
        known: Known,
    ) -> Answer {
        // This revision has no sessions; the header means nothing, so nobody shall see it.
        parts.headers.remove(SESSION_ID);
        let client = ClientInfo::new(&message.client.name, &message.client.version);
        let caller =
            known.principal.caller(client.clone(), era::STATELESS.to_owned(), known.address);
        let session = self.means.ledger.enter(caller)?;
        let visit = Visit::new(known, client);
        let tally = Tally::new(Arc::clone(&session), Arc::clone(&visit), length(body));
        if let Some(direct) = self.direct(message, Era::Stateless) {
            return Self::call_alone(direct, message, visit, tally).await;
        }
        self.through(parts, body.clone(), message, tenant, visit, tally).await
    }

    /// Through the library, which keeps nothing of it afterwards. INVARIANT I11: whoever hangs
    /// up, in either era, has stopped the work too, so that it cannot pile up beyond the
    /// tenant's places (`i11_hanging_up_stops_what_the_library_runs`).
    pub(super) async fn through(
        &self,
        parts: Parts,
        body: Bytes,
        message: &Message<'_>,
        tenant: &Tenant,
        visit: Arc<Visit>,
        tally: Tally,
    ) -> Answer {
        let session = Arc::clone(tally.session());
        let service = self.services.of(tenant)?;
        // Asked for before the work starts: afterwards a refusal would throw a done thing away.
        let streams = !self.json_response || message.method == "subscriptions/listen";
        let place = if streams { Some(self.place(tenant)?) } else { None };
        let key_gone = visit.known().principal.gone().clone();
        let gone = visit.over().clone().drop_guard();
        let response = tokio::select! {
            biased;
            answer = Self::serve(&service, parts, body, visit) => answer?,
            () = session.ended().cancelled() => return Err(ended(&key_gone)),
        };
        // From here on a stream's own end counts, and anything else has its answer.
        gone.disarm();
        self.release(response, tally, place, service, tenant)
    }
}

pub(super) fn length(body: &Bytes) -> u64 {
    u64::try_from(body.len()).unwrap_or(u64::MAX)
}

/// I9: what was under way stops with the session or the key, and says which of the two it was.
pub(super) fn ended(key_gone: &CancellationToken) -> Refusal {
    if key_gone.is_cancelled() {
        return Error::new(Kind::Unauthenticated, "unauthorized").into();
    }
    Refusal::new(http::StatusCode::FORBIDDEN, 403, "this session was ended")
}
