//! The layers, one a file, and what they have in common: a [`Stage`].
//!
//! A layer is a function from the stage inside it (and its own state) to a stage. Nothing is
//! boxed on the way: the compiler sees the whole stack as one service. Where each one stands,
//! and why, is written in `stack`.

pub mod client_address;
pub mod request_id;

use std::convert::Infallible;

use axum::{body::Body, response::Response};
use http::Request;
use tower::Service;

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
