//! How large a request body may be, and how long it may take: 413 and 408.
//!
//! An honest `Content-Length` over the limit is refused before a byte is read. Otherwise the
//! body is watched while the inside reads it, chunked or not: over the limit or past the
//! deadline it ends with an error, and whatever the inside then answers, the caller reads the
//! true reason. Nothing is buffered here, and no timer is made for a body that is already there.

use std::{
    error, fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::{FutureExt, future::Either};
use http::{Request, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use tower::service_fn;

use super::Stage;
use crate::{
    config::listen::Listen,
    http::error::{Asker, Layer, Refusal},
};

/// Bounds every request body.
pub fn layer<S: Stage>(settings: &Listen, inner: S) -> impl Stage + use<S> {
    let (limit, within) = (settings.max_body_bytes as u64, settings.body_timeout);
    let mut inner = inner;
    service_fn(move |request: Request<Body>| {
        if request.body().is_end_stream() {
            return Either::Left(inner.call(request));
        }
        let asker = Asker::of(&request);
        if declared(&request).is_some_and(|length| length > limit) {
            let refusal = Verdict::TooLarge.refusal(limit).answer(&asker);
            return Either::Right(Either::Left(std::future::ready(Ok(refusal))));
        }
        let verdict = Arc::new(AtomicU8::new(Verdict::Fine as u8));
        let request = request.map(|body| {
            let deadline = Instant::now() + within;
            let verdict = Arc::clone(&verdict);
            Body::new(Bounded { inner: body, left: limit, deadline, timer: None, verdict })
        });
        Either::Right(Either::Right(inner.call(request).map(move |answer| {
            answer.map(|response: Response| match Verdict::load(&verdict) {
                Verdict::Fine => response,
                broken => broken.refusal(limit).answer(&asker),
            })
        })))
    })
}

fn declared(request: &Request<Body>) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// How the body went, shared between the body and the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Fine = 0,
    TooLarge = 1,
    TooSlow = 2,
}

impl Verdict {
    fn load(from: &AtomicU8) -> Self {
        match from.load(Ordering::Acquire) {
            1 => Self::TooLarge,
            2 => Self::TooSlow,
            _ => Self::Fine,
        }
    }

    fn refusal(self, limit: u64) -> Refusal {
        let refusal = match self {
            Self::TooSlow => Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                "the request body did not arrive in time; send it again",
            ),
            _ => Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the request body is larger than {limit} bytes"),
            ),
        };
        refusal.by(Layer::Body)
    }
}

/// Why a body ended early.
#[derive(Debug)]
struct Ended(Verdict);

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 == Verdict::TooSlow { "body too slow" } else { "body too large" })
    }
}

impl error::Error for Ended {}

/// A body that counts and keeps time.
struct Bounded {
    inner: Body,
    left: u64,
    deadline: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    verdict: Arc<AtomicU8>,
}

impl Bounded {
    fn end(&self, verdict: Verdict) -> axum::Error {
        self.verdict.store(verdict as u8, Ordering::Release);
        axum::Error::new(Ended(verdict))
    }
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let size = frame.data_ref().map_or(0, |data| data.len() as u64);
                match this.left.checked_sub(size) {
                    Some(left) => {
                        this.left = left;
                        Poll::Ready(Some(Ok(frame)))
                    }
                    None => Poll::Ready(Some(Err(this.end(Verdict::TooLarge)))),
                }
            }
            Poll::Ready(end) => Poll::Ready(end),
            Poll::Pending => {
                let deadline = this.deadline;
                let timer =
                    this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
                match timer.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(Some(Err(this.end(Verdict::TooSlow)))),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use futures::{StreamExt, stream};
    use tower::ServiceExt;

    use super::*;

    /// Sends `body` to an inside that reads all of it and answers 200 or, on an error, 400.
    async fn status(body: Body, declared: Option<u64>, within: Duration) -> u16 {
        let inside = service_fn(async |request: Request<Body>| {
            let read = axum::body::to_bytes(request.into_body(), usize::MAX).await;
            let status = if read.is_ok() { 200 } else { 400 };
            Ok::<_, Infallible>(Response::builder().status(status).body(Body::empty()).unwrap())
        });
        let settings = Listen { max_body_bytes: 10, body_timeout: within, ..Listen::default() };
        let mut request = Request::new(body);
        if let Some(length) = declared {
            request.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        }
        layer(&settings, inside).oneshot(request).await.unwrap().status().as_u16()
    }

    fn chunks(count: usize) -> stream::BoxStream<'static, Result<Bytes, Infallible>> {
        stream::repeat(Ok(Bytes::from_static(b"12345"))).take(count).boxed()
    }

    #[tokio::test]
    async fn the_limit_holds_declared_or_not() {
        let soon = Duration::from_secs(30);
        assert_eq!(status(Body::from("1234567890"), Some(10), soon).await, 200);
        assert_eq!(status(Body::from("12345678901"), Some(11), soon).await, 413);
        assert_eq!(status(Body::from_stream(chunks(2)), None, soon).await, 200);
        assert_eq!(status(Body::from_stream(chunks(3)), None, soon).await, 413);
        assert_eq!(status(Body::from("12345678901"), Some(1), soon).await, 413, "a lie");
    }

    #[tokio::test]
    async fn a_body_that_stalls_answers_408() {
        let stalled = chunks(1).chain(stream::pending());
        assert_eq!(status(Body::from_stream(stalled), None, Duration::from_millis(20)).await, 408);
    }
}
