//! An answer on its way out: counted while it flows, cut when its session ends.
//!
//! A stream outlives the request that opened it, and with it every check that request passed.
//! INVARIANT I9: so the session's token rides along, and when it fires, because the key was
//! revoked or an operator ended the session, the body is over
//! (`i9_a_stream_ends_with_its_session`).

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::visit::Visit;
use crate::{
    limits::places::Place,
    registry::ledger::{Session, StreamGuard},
};

/// What a request leaves in the ledger when it is over, however it ends: dropped on the way, it
/// counts as failed.
#[derive(Debug)]
pub struct Tally {
    session: Arc<Session>,
    visit: Arc<Visit>,
    bytes_in: u64,
    answered: bool,
}

impl Tally {
    /// To be dropped when the request is over.
    #[must_use]
    pub fn new(session: Arc<Session>, visit: Arc<Visit>, bytes_in: u64) -> Self {
        Self { session, visit, bytes_in, answered: false }
    }

    /// The session it counts for.
    #[must_use]
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The request it counts.
    #[must_use]
    pub fn visit(&self) -> &Visit {
        &self.visit
    }

    /// There is an answer; only the handler knows now whether it is an error.
    pub fn answered(&mut self) {
        self.answered = true;
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.session.record(self.bytes_in, !self.answered || self.visit.has_failed());
    }
}

/// A stream of events.
pub struct LiveBody {
    inner: Option<Body>,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    session: Arc<Session>,
    _open: StreamGuard,
    _place: Place,
    _tally: Option<Tally>,
    /// Keeps the tenant's service open.
    _service: Arc<dyn fmt::Debug + Send + Sync>,
}

impl LiveBody {
    /// `inner` until it ends or `session` does.
    #[must_use]
    pub fn new(
        inner: Body,
        session: &Arc<Session>,
        place: Place,
        tally: Option<Tally>,
        service: Arc<dyn fmt::Debug + Send + Sync>,
    ) -> Self {
        Self {
            inner: Some(inner),
            ended: Box::pin(session.ended().clone().cancelled_owned()),
            session: Arc::clone(session),
            _open: session.stream(),
            _place: place,
            _tally: tally,
            _service: service,
        }
    }
}

impl fmt::Debug for LiveBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveBody").field("session", self.session.id()).finish_non_exhaustive()
    }
}

impl http_body::Body for LiveBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if this.ended.as_mut().poll(context).is_ready() {
            // Dropped at once, not when the client has taken the end: what runs behind it stops.
            this.inner = None;
        }
        let Some(inner) = this.inner.as_mut() else { return Poll::Ready(None) };
        let frame = std::task::ready!(Pin::new(inner).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            this.session.sent(u64::try_from(data.len()).unwrap_or(u64::MAX));
        }
        if frame.is_none() {
            this.inner = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or(SizeHint::with_exact(0), http_body::Body::size_hint)
    }
}
