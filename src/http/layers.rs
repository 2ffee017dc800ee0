//! The layers, one a file, and what they have in common: a [`Stage`].
//!
//! A layer is a function from the stage inside it (and its own state) to a stage. Nothing is
//! boxed on the way: the compiler sees the whole stack as one service. Where each one stands,
//! and why, is written in `stack`.

pub mod access_log;
pub mod address_limit;
pub mod authenticate;
pub mod authorize;
pub mod body;
pub mod catch_panic;
pub mod client_address;
pub mod cors;
pub mod head_size;
pub mod host;
pub mod https;
pub mod key_limit;
pub mod origin;
pub mod recorded;
pub mod request_id;
pub mod security_headers;
pub mod sensitive_headers;
pub mod tenant_places;

use std::{convert::Infallible, future};

use axum::{body::Body, response::Response};
use futures::future::Either;
use http::Request;
use tower::{Service, service_fn};

use super::error::{Asker, Refusal};

/// Anything that answers a request: the routes, or a layer around another stage.
pub trait Stage:
    Service<Request<Body>, Response = Response, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<T> Stage for T where
    T: Service<Request<Body>, Response = Response, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// A layer that only looks at the request: it lets it through or refuses it.
pub(crate) fn guard(
    check: impl Fn(&Request<Body>) -> Result<(), Refusal> + Clone + Send + Sync + 'static,
    inner: impl Stage,
) -> impl Stage {
    let mut inner = inner;
    service_fn(move |request: Request<Body>| match check(&request) {
        Ok(()) => Either::Left(inner.call(request)),
        Err(refusal) => Either::Right(future::ready(Ok(refusal.answer(&Asker::of(&request))))),
    })
}
