//! What `/mcp` is to the room `http`: a request with its proofs in, a response out.

use std::{fmt, net::IpAddr, sync::Arc};

use axum::body::Body;
use futures::future::BoxFuture;
use http::{Request, Response};

use crate::{audit::Slot, auth::Principal, limits::places::Place};

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
    /// Its tenant's place for a request under way, to be shared by work that outlives the request.
    pub place: Option<Arc<Place>>,
    /// The request's id.
    pub request_id: String,
    /// Who records the request.
    pub slot: Slot,
}
