//! A panic on the way to an answer becomes a 500 instead of a cut connection.
//!
//! A panic is a bug and is logged as one. Its text stays inside. A panic in a *tool* never gets
//! here, it is caught in `mcp`; one in a streaming body ends that connection only.

use std::panic::{AssertUnwindSafe, catch_unwind};

use axum::body::Body;
use futures::{FutureExt, future::Either};
use http::{Request, StatusCode};
use tower::service_fn;

use super::Stage;
use crate::http::error::{Asker, Layer, Refusal};

/// Catches panics of everything inside.
pub fn layer(inner: impl Stage) -> impl Stage {
    let mut inner = inner;
    service_fn(move |request: Request<Body>| {
        let asker = Asker::of(&request);
        // What the panic may leave half changed is this request's own: the stages are shared
        // only through types that survive it.
        match catch_unwind(AssertUnwindSafe(|| inner.call(request))) {
            Ok(answer) => {
                Either::Left(AssertUnwindSafe(answer).catch_unwind().map(move |caught| {
                    caught.unwrap_or_else(|_| Ok(internal_error().answer(&asker)))
                }))
            }
            Err(_) => Either::Right(std::future::ready(Ok(internal_error().answer(&asker)))),
        }
    })
}

fn internal_error() -> Refusal {
    tracing::error!("a handler panicked");
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error").by(Layer::Failure)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::response::Response;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_answers_500_and_says_nothing() {
        let at_once = layer(service_fn(|_: Request<Body>| -> std::future::Ready<_> {
            assert!(std::hint::black_box(false), "hunter2");
            std::future::ready(Ok::<Response, Infallible>(Response::default()))
        }));
        let later = layer(service_fn(async |_: Request<Body>| {
            assert!(std::hint::black_box(false), "hunter2");
            Ok::<Response, Infallible>(Response::default())
        }));
        for response in [
            at_once.oneshot(Request::new(Body::empty())).await.unwrap(),
            later.oneshot(Request::new(Body::empty())).await.unwrap(),
        ] {
            assert_eq!(response.status(), 500);
            let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
            assert!(!String::from_utf8_lossy(&body).contains("hunter2"));
        }
    }
}
