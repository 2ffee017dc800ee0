//! No change without its record: the log is asked before, and has it before the answer leaves.
//!
//! INVARIANT I10 for the administration. What is done with memories is held to the same by
//! `mcp::dispatch`; what only reads is recorded where the request ends.

use std::sync::Arc;

use axum::body::Body;
use http::Request;
use tower::service_fn;

use super::{Stage, access_log::Line};
use crate::{
    audit::{Recorder, Slot, record::DEPLOYMENT, slot::Target},
    domain::action::{Access, Action},
    http::error::{Asker, Layer, Refusal},
};

/// Lets a request through while it can be recorded, and a change out when it is.
pub fn layer(audit: Arc<Recorder>, action: Option<Action>, inner: impl Stage) -> impl Stage {
    let access = action.map_or(Access::Read, Action::access);
    service_fn(move |request: Request<Body>| {
        let (audit, mut inner) = (Arc::clone(&audit), inner.clone());
        async move {
            let asker = Asker::of(&request);
            if let Err(error) = audit.admit(access) {
                return Ok(Refusal::from(error).by(Layer::Audit).answer(&asker));
            }
            let Some(action) = action.filter(|_| access == Access::Write) else {
                return inner.call(request).await;
            };
            let told = request.extensions().get::<Arc<Line>>().cloned();
            let slot = request.extensions().get::<Slot>().cloned();
            let answer = inner.call(request).await?;
            let (status, target) = (answer.status(), answer.extensions().get().cloned());
            let (Some(line), Some(slot)) = (told, slot) else { return Ok(answer) };
            // A refusal changed nothing, and is recorded with its reason where the request ends.
            if !status.is_success() || !slot.claim() {
                return Ok(answer);
            }
            let mut record = line.record(&slot, status.as_u16());
            record.action = Some(action.as_str());
            record.resource = Some(DEPLOYMENT);
            record.target = target.as_ref().map(|Target(id): &Target| id.as_str());
            let receipt = audit.record_durably(&record);
            Ok(match receipt.written().await {
                Ok(()) => answer,
                Err(error) => Refusal::from(error).by(Layer::Audit).answer(&asker),
            })
        }
    })
}
