//! A plain tool call, in either era: see [`direct`].

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderValue, Response, header};
use rmcp::model::CancelledNotificationParam;
use serde::Deserialize;

use super::{Answer, Gateway, Handlers, Refusal, Tally, Visit, post::ended};
use crate::{
    limits::places::Place,
    mcp::{
        direct::{self, PlainCall, PlainCalls},
        era::Era,
        preparse::{Kind, Message},
        refusal::INVALID_REQUEST,
        under_way,
    },
    registry::ledger::Session,
};

/// `Content-Type` of a stream of events.
pub(super) const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

/// A plain call and who answers it.
pub(super) struct Direct {
    calls: Arc<dyn PlainCalls>,
    call: PlainCall,
}

impl<H: Handlers> Gateway<H> {
    /// The plain call that this message is, where it may be answered as one.
    pub(super) fn direct(&self, message: &Message<'_>, era: Era) -> Option<Direct> {
        // Who asked for events everywhere gets them from the library.
        let calls = self.quiet.clone().filter(|_| self.json_response)?;
        Some(Direct { calls, call: PlainCall::of(message, era)? })
    }

    /// A call of the stateless revision. A client that hangs up has cancelled it.
    pub(super) async fn call_alone(
        direct: Direct,
        message: &Message<'_>,
        visit: Arc<Visit>,
        tally: Tally,
    ) -> Answer {
        let Direct { calls, call } = direct;
        let key_gone = visit.known().principal.gone().clone();
        let work = calls.call(visit, call.name, call.arguments);
        let outcome = tokio::select! {
            biased;
            outcome = work => outcome,
            () = tally.session().ended().cancelled() => return Err(ended(&key_gone)),
        };
        Self::count(direct::reply(message.id, &outcome), tally)
    }

    /// A call within a session. It runs in a task, because a client that hangs up has not
    /// cancelled it there. INVARIANT I11: the task keeps the tenant's place, so hanging up makes
    /// no room for more (`i11_a_call_keeps_its_place_when_its_caller_has_hung_up`).
    pub(super) async fn call_within(
        &self,
        direct: Direct,
        message: &Message<'_>,
        visit: Arc<Visit>,
        tally: Tally,
        place: Option<Arc<Place>>,
    ) -> Answer {
        let session = Arc::clone(tally.session());
        let under_way = self.under_way(&session, message)?;
        let Direct { calls, call } = direct;
        let key_gone = visit.known().principal.gone().clone();
        let work = calls.call(visit, call.name, call.arguments);
        let running = self.means.tasks.spawn(async move {
            let _place = place;
            tokio::select! {
                biased;
                outcome = work => Some(Ok(outcome)),
                () = under_way.cancelled().cancelled() => None,
                () = session.ended().cancelled() => Some(Err(ended(&key_gone))),
            }
        });
        match running.await {
            Ok(Some(outcome)) => {
                let outcome = outcome?.map(|mut result| {
                    // The revisions with sessions have no such member.
                    result.result_type = None;
                    result
                });
                Self::count(direct::reply(message.id, &outcome), tally)
            }
            Ok(None) => Ok(nothing()),
            Err(_) => Err(Refusal::internal()),
        }
    }

    /// Notes that a request of `session` is under way.
    pub(super) fn under_way(
        &self,
        session: &Session,
        message: &Message<'_>,
    ) -> Result<under_way::Call, Refusal> {
        let same = || Refusal::bad(INVALID_REQUEST, "a request with this `id` is under way");
        let id = serde_json::from_str(message.id).map_err(|_| same())?;
        self.under_way.begin(session.id(), id).ok_or_else(same)
    }

    /// `notifications/cancelled` for a request that is under way.
    pub(super) fn cancel(&self, session: &Session, message: &Message<'_>, body: &[u8]) {
        #[derive(Deserialize)]
        struct Cancelled {
            params: CancelledNotificationParam,
        }
        let is_one =
            message.kind == Kind::Notification && message.method == "notifications/cancelled";
        if is_one && let Ok(note) = serde_json::from_slice::<Cancelled>(body) {
            note.params
                .request_id
                .into_iter()
                .for_each(|id| self.under_way.cancel(session.id(), id));
        }
    }
}

/// A stream without an event: nobody waits for an answer.
pub(super) fn nothing() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(header::CONTENT_TYPE, EVENTS);
    response
}
