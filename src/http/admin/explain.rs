//! `/admin/explain/{request_id}`: why a request was refused.
//!
//! The caller was told a sentence and this id. Here are the layer that said no, the policies that
//! decided, and what was asked for; never what the request carried.

use axum::{body::Body, response::Response};
use http::Request;

use super::exchange::{id, ok};
use crate::{
    domain::{Error, Kind},
    http::{error::Refusal, state::State},
    telemetry::refusals::{MAX_KNOWN, MAX_STRANGERS},
};

/// `GET /admin/explain/{request_id}`
pub(in crate::http) fn show(state: &State, request: &Request<Body>) -> Result<Response, Refusal> {
    match state.stats.refusals.explain(id(request)) {
        Some(refused) => Ok(ok(&*refused)),
        None => Err(Refusal::from(Error::new(
            Kind::NotFound,
            format!(
                "no refusal with this id is remembered: the request was allowed, or it was \
                 refused before this process started or before the last {MAX_KNOWN} refusals of \
                 known callers ({MAX_STRANGERS} of strangers), or there never was one"
            ),
        ))),
    }
}
