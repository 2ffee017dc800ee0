//! Sessions that the ledger alone keeps.
//!
//! The library holds tasks and channels for every session, so that a handler may speak to the
//! client whenever it likes; an idle one costs it 60 KiB. Handlers that only ever answer need none
//! of that: opening a session is an entry in the ledger, a message in it is served like one that
//! stands alone, and the stream that a client may open is silent. What a session means to its
//! client and who may use it (I8) is the same in both ways, and so are the tests.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, future, stream};
use http::{HeaderValue, Response, StatusCode, header, request::Parts};
use rmcp::{ServerHandler as _, model::InitializeRequestParams};
use serde::Deserialize;

use super::{
    Answer, Gateway, Handlers, LiveBody, Place, Refusal, Tally, Tenant, Visit,
    call::{EVENTS, nothing},
    post::length,
};
use crate::{
    mcp::{
        direct,
        headers::SESSION_ID,
        preparse::{Kind, Message},
    },
    registry::ledger::{Reservation, Session},
};

/// So often a silent stream shows that it is still there, as the library does.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A line that clients skip.
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

#[derive(Deserialize)]
struct Initialize {
    params: InitializeRequestParams,
}

impl<H: Handlers> Gateway<H> {
    /// `initialize`.
    pub(super) fn begin(
        &self,
        body: &Bytes,
        message: &Message<'_>,
        tenant: &Tenant,
        reservation: Reservation,
    ) -> Answer {
        let request: Initialize = serde_json::from_slice(body).map_err(|_| Refusal::unfit())?;
        let result = self.services.handler(tenant).negotiate_initialize(&request.params);
        if result.is_err() {
            return Err(Refusal::unfit());
        }
        let mut response = direct::reply(message.id, &result);
        let (id, session) = reservation.open();
        let mut id = HeaderValue::try_from(id).map_err(|_| Refusal::internal())?;
        // SECURITY: whoever prints the answer's headers prints no session (I5).
        id.set_sensitive(true);
        response.headers_mut().insert(SESSION_ID, id);
        session.record(length(body), false);
        session.sent(http_body::Body::size_hint(response.body()).lower());
        Ok(response)
    }

    /// A message within a session that is no plain call.
    pub(super) async fn quietly(
        &self,
        parts: Parts,
        body: Bytes,
        message: &Message<'_>,
        tenant: &Tenant,
        visit: Arc<Visit>,
        mut tally: Tally,
    ) -> Answer {
        if message.kind == Kind::Request {
            let under_way = self.under_way(tally.session(), message)?;
            return tokio::select! {
                biased;
                answer = self.through(parts, body, message, tenant, visit, tally) => answer,
                () = under_way.cancelled().cancelled() => Ok(nothing()),
            };
        }
        // Nothing that quiet handlers would act upon: they have asked for nothing.
        tally.answered();
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::ACCEPTED;
        Ok(response)
    }

    /// GET: the stream on which quiet handlers say nothing.
    pub(super) fn silence(&self, session: &Arc<Session>, place: Place) -> Response<Body> {
        let stop = self.means.stop.clone().cancelled_owned();
        let body = Body::from_stream(comments(KEEP_ALIVE).take_until(stop));
        // Counted now: the stream may stay open for days.
        session.record(0, false);
        let mut response =
            Response::new(Body::new(LiveBody::new(body, session, place, None, Arc::new(()))));
        response.headers_mut().insert(header::CONTENT_TYPE, EVENTS);
        response
    }
}

/// One comment at once, so that the client sees the stream open, and then one now and again.
fn comments(every: Duration) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let later = stream::repeat(()).then(move |()| tokio::time::sleep(every));
    stream::once(future::ready(())).chain(later).map(|()| Ok(COMMENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_silent_stream_says_again_and_again_that_it_is_there() {
        let said: Vec<_> = comments(Duration::from_millis(1)).take(3).collect().await;
        assert_eq!(said, [Ok(COMMENT), Ok(COMMENT), Ok(COMMENT)]);
    }
}
