//! `/mcp`: hands a request with its proofs over to the room `mcp`.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use http::Request;

use super::{
    error::Refusal,
    layers::{authenticate, client_address::ClientAddress, request_id::RequestId},
    server::peer::Peer,
    state::State,
};
use crate::mcp::endpoint::Known;

/// `POST`, `GET`, `DELETE /mcp`.
pub(super) async fn answer(
    state: Arc<State>,
    mut request: Request<Body>,
) -> Result<Response, Refusal> {
    // Taken, not shared: what stays with the request stays with its streams, for hours.
    let place = request.extensions_mut().remove();
    let extensions = request.extensions();
    let known = Known {
        principal: authenticate::principal(&request)?.clone(),
        address: extensions.get::<ClientAddress>().map_or(Peer::LOCAL, |address| address.0),
        place,
        request_id: extensions.get().map(RequestId::as_str).unwrap_or_default().to_owned(),
        slot: extensions.get().cloned().unwrap_or_default(),
    };
    Ok(state.endpoint.answer(request, known).await)
}
