//! What is going on in one connection: the clock by which it is called idle or stalled.
//!
//! Shared by the socket (which sees bytes) and the service (which sees requests). Only the
//! service can tell a connection that waits for its next request from one that waits for its
//! answer, and only the socket can end it.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    start: Instant,
    /// Requests that have come, ever.
    begun: AtomicU64,
    /// Requests whose answer is not all handed over.
    under_way: AtomicU32,
    /// Answers of which a piece was handed over that nobody has asked beyond.
    waiting: AtomicU32,
    /// When anything of the above changed last, or bytes left, in ms since `start`.
    last: AtomicU64,
    /// Whether the server is asked to stop.
    draining: AtomicBool,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            begun: AtomicU64::new(0),
            under_way: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            last: AtomicU64::new(0),
            draining: AtomicBool::new(false),
        })
    }

    /// A request has come.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }

    /// Something moved.
    pub(super) fn touch(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// Requests that have come so far.
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Whether nothing is being answered.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) == 0
    }

    /// The server is asked to stop: nobody waits for the rest of a head any more.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server is asked to stop.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Until when the connection may stay as it is: idle for `idle`, or with a piece of an
    /// answer that the client does not take for `stall`.
    pub(super) fn deadline(&self, idle: Duration, stall: Duration) -> Option<Instant> {
        let patience = if self.is_idle() {
            idle
        } else if self.waiting.load(Ordering::Relaxed) > 0 {
            stall
        } else {
            return None;
        };
        Some(self.start + Duration::from_millis(self.last.load(Ordering::Relaxed)) + patience)
    }
}

/// A request whose answer is not all handed over.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Activity>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.touch();
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer's body that keeps its request under way until it is gone.
#[derive(Debug)]
pub(super) struct Answer {
    inner: Body,
    request: UnderWay,
    waiting: bool,
}

impl Answer {
    pub(super) fn new(inner: Body, request: UnderWay) -> Self {
        Self { inner, request, waiting: false }
    }

    fn wait(&mut self, waiting: bool) {
        if self.waiting != waiting {
            let count = &self.request.0.waiting;
            if waiting {
                count.fetch_add(1, Ordering::Relaxed);
            } else {
                count.fetch_sub(1, Ordering::Relaxed);
            }
            self.request.0.touch();
            self.waiting = waiting;
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.inner).poll_frame(cx);
        // A piece that is the last is not waited for: the socket's own deadline covers it.
        this.wait(matches!(frame, Poll::Ready(Some(Ok(_)))) && !this.inner.is_end_stream());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.wait(false);
    }
}
