//! Bytes that are no HTTP/1.1 request: answered by us, not by the parser.
//!
//! hyper answers what it cannot parse by itself, with a bare status, and ends the connection. The
//! service never hears of it. This wrapper stands between hyper and the socket, takes that bare
//! answer out and sends a whole one in its place: the listener's own stack makes it (see
//! `layers::head_size`), so it carries every header, has a request id, leaves one line in the log
//! and is counted. HTTP/2 has GOAWAY for this and is left alone.
//!
//! How the bare answer is told from ours: hyper speaks by itself only between two answers. So
//! what it writes while nothing is under way, after everything before it was flushed and with no
//! new request begun, is its own. That costs a request a few loads of an atomic.
//!
//! One bare answer still gets out: the one that hyper appends to an answer of ours which it could
//! not flush, because the client sends and reads nothing. Only that client gets to see it.

use std::{
    convert::Infallible,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{body::Body, response::Response};
use bytes::{Buf, Bytes};
use futures::{FutureExt, future::BoxFuture};
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use super::{activity::Activity, peer::Peer};
use crate::http::layers::Stage;

/// After the answer the client may still be sending; closing at once would reset the connection
/// and could take the answer away before it is read. So long, and so many bytes, it may go on.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1 << 20;
/// What is read at once while lingering, in bytes.
const SCRATCH: usize = 4 * 1024;

/// In the extensions of the request that stands for one that could not be read: why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable(pub StatusCode);

/// The wrapped socket.
pub(super) struct Answering<IO, S> {
    inner: IO,
    activity: Arc<Activity>,
    stage: Arc<Mutex<S>>,
    peer: Arc<Peer>,
    /// How many requests had come when the last answer was all out.
    settled: u64,
    step: Step,
}

/// Where the answer to what could not be read is.
enum Step {
    /// There is none: everything passes.
    Watching,
    /// The stack makes it.
    Making(BoxFuture<'static, Bytes>),
    /// It is on its way.
    Sending(Bytes),
    /// It is out; the connection ends.
    Sent,
    /// Our side is closed; what the client still sends is thrown away.
    Lingering { until: Pin<Box<Sleep>>, left: usize },
}

impl<IO, S> Answering<IO, S> {
    pub(super) fn new(
        inner: IO,
        activity: Arc<Activity>,
        stage: Arc<Mutex<S>>,
        peer: Arc<Peer>,
    ) -> Self {
        Self { inner, activity, stage, peer, settled: 0, step: Step::Watching }
    }
}

impl<IO, S: Stage> Answering<IO, S> {
    /// Whether hyper's `bytes` may pass; if not, they count as written.
    fn passes(&mut self, bytes: &[u8]) -> bool {
        if !matches!(self.step, Step::Watching) {
            return false;
        }
        if self.activity.begun() != self.settled || !self.activity.is_idle() {
            return true;
        }
        let Some(status) = bare(bytes) else { return true };
        self.step = Step::Making(self.answer(status, date(bytes)));
        false
    }

    fn answer(&self, status: StatusCode, date: Option<HeaderValue>) -> BoxFuture<'static, Bytes> {
        let mut request = Request::new(Body::empty());
        // No method that a client could have sent: the log shows that there was none.
        *request.method_mut() = Method::from_bytes(b"UNREADABLE").unwrap_or_default();
        request.extensions_mut().insert(Unreadable(status));
        request.extensions_mut().insert(Arc::clone(&self.peer));
        let answer = self.stage.lock().unwrap_or_else(PoisonError::into_inner).call(request);
        answer.then(|answer| whole(answer, date)).boxed()
    }
}

impl<IO: AsyncWrite + Unpin, S> Answering<IO, S> {
    /// Ready when nothing of an answer of ours is left to send.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            self.step = match &mut self.step {
                Step::Making(answer) => Step::Sending(ready!(answer.as_mut().poll(cx))),
                Step::Sending(bytes) if bytes.is_empty() => Step::Sent,
                Step::Sending(bytes) => {
                    let sent = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes))?;
                    if sent == 0 {
                        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                    }
                    bytes.advance(sent);
                    continue;
                }
                _ => return Poll::Ready(Ok(())),
            };
        }
    }
}

/// The status of an answer that hyper made.
fn bare(bytes: &[u8]) -> Option<StatusCode> {
    let rest = bytes.strip_prefix(b"HTTP/1.")?;
    let status = StatusCode::from_bytes(rest.get(2..5)?).ok()?;
    status.is_client_error().then_some(status)
}

/// The date that hyper wrote, so that ours needs no other clock.
fn date(bytes: &[u8]) -> Option<HeaderValue> {
    bytes.split(|byte| *byte == b'\n').find_map(|line| {
        let value = line.strip_prefix(b"date: ")?;
        HeaderValue::from_bytes(value.strip_suffix(b"\r")?).ok()
    })
}

/// A response as bytes, the last of its connection.
async fn whole(answer: Result<Response, Infallible>, date: Option<HeaderValue>) -> Bytes {
    let (mut head, body) = answer.unwrap_or_else(|never| match never {}).into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    head.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    if let Some(date) = date {
        head.headers.insert(header::DATE, date);
    }
    let reason = head.status.canonical_reason().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", head.status.as_u16()).into_bytes();
    for (name, value) in &head.headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&body);
    bytes.into()
}

impl<IO: AsyncRead + Unpin, S: Stage> AsyncRead for Answering<IO, S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, buf)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin, S: Stage> AsyncWrite for Answering<IO, S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.passes(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut this.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let first = bufs.iter().find(|buf| !buf.is_empty());
        if first.is_some_and(|first| !this.passes(first)) {
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        Pin::new(&mut this.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_answer(cx))?;
        ready!(Pin::new(&mut this.inner).poll_flush(cx))?;
        // hyper flushes us when its own buffer is empty: with nothing under way, all is out.
        if this.activity.is_idle() {
            this.settled = this.activity.begun();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_answer(cx))?;
        if !matches!(this.step, Step::Lingering { .. }) {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
            if matches!(this.step, Step::Watching) {
                return Poll::Ready(Ok(()));
            }
            let until = Box::pin(tokio::time::sleep(LINGER));
            this.step = Step::Lingering { until, left: LINGER_BYTES };
        }
        let Step::Lingering { until, left } = &mut this.step else { return Poll::Ready(Ok(())) };
        let mut scratch = [0; SCRATCH];
        while *left > 0 && !this.activity.is_draining() && until.as_mut().poll(cx).is_pending() {
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut this.inner).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {
                    *left = left.saturating_sub(buf.filled().len());
                }
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
