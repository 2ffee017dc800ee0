//! What `/mcp` is to the room `http`: a request with its proofs in, a response out.

use std::{fmt, net::IpAddr};

use axum::body::Body;
use futures::future::BoxFuture;
use http::{Request, Response};

use crate::auth::Principal;

/// The MCP endpoint, behind every layer.
pub trait Endpoint: fmt::Debug + Send + Sync {
    /// Answers one request of a known caller. The body is already limited in size and time.
    fn answer(&self, request: Request<Body>, caller: Known) -> BoxFuture<'_, Response<Body>>;
}

/// What the layers know about the caller.
#[derive(Debug, Clone)]
pub struct Known {
    /// Who it is.
    pub principal: Principal,
    /// Where it calls from.
    pub address: IpAddr,
    /// The request's id.
    pub request_id: String,
}
