//! No change without its record: the log is asked before, and has it before the answer leaves.
//!
//! INVARIANT I10 for the administration. What is done with memories is held to the same by
//! `mcp::dispatch`; what only reads is recorded where the request ends.

use std::{panic, sync::Arc};

use axum::{body::Body, response::Response};
use http::Request;
use tokio_util::task::TaskTracker;
use tower::service_fn;

use super::{Stage, access_log::Line};
use crate::{
    audit::{Recorder, Slot, record::DEPLOYMENT, slot::Target},
    domain::{
        Error, Result,
        action::{Access, Action},
    },
    http::error::{Asker, Layer, Refusal},
    telemetry::refusals::Why,
};

/// Lets a request through while it can be recorded, and a change out when it is. A change runs in
/// a task: a caller who hangs up has not stopped it, so it must not lose its record either
/// (`i10_a_change_whose_caller_has_gone_is_on_record`).
pub fn layer(
    audit: Arc<Recorder>,
    tasks: TaskTracker,
    action: Option<Action>,
    inner: impl Stage,
) -> impl Stage {
    let access = action.map_or(Access::Read, Action::access);
    service_fn(move |request: Request<Body>| {
        let (audit, tasks, mut inner) = (Arc::clone(&audit), tasks.clone(), inner.clone());
        async move {
            let asker = Asker::of(&request);
            // SECURITY: what takes rights away waits for nothing (`i9_a_full_log_saves_no_key`).
            if !action.is_some_and(Action::takes_away)
                && let Err(error) = audit.admit(access)
            {
                return Ok(Refusal::from(error).by(Layer::Audit).answer(&asker));
            }
            let Some(action) = action.filter(|_| access == Access::Write) else {
                return inner.call(request).await;
            };
            let line = request.extensions().get::<Arc<Line>>().cloned();
            let slot = request.extensions().get::<Slot>().cloned();
            let (Some(line), Some(slot)) = (line, slot) else {
                let error = Error::internal("a change without a place for its record");
                return Ok(Refusal::from(error).answer(&asker));
            };
            // From here on the record is ours, however this ends.
            let _ = slot.claim();
            let to = asker.clone();
            let work = async move {
                let answer = inner.call(request).await?;
                let recorded = recorded(&audit, action, &line, &slot, answer).await;
                Ok(recorded.unwrap_or_else(|e| Refusal::from(e).by(Layer::Audit).answer(&to)))
            };
            match tasks.spawn(work).await {
                Ok(answer) => answer,
                Err(cut) => match cut.try_into_panic() {
                    // An outer layer makes an answer of it, as of any panic.
                    Ok(panic) => panic::resume_unwind(panic),
                    Err(cut) => Ok(Refusal::from(Error::internal(cut)).answer(&asker)),
                },
            }
        }
    })
}

/// The answer, when its record is where it must be. A refusal changed nothing, so nobody waits.
async fn recorded(
    audit: &Recorder,
    action: Action,
    line: &Line,
    slot: &Slot,
    answer: Response,
) -> Result<Response> {
    let status = answer.status();
    let (target, why) = (answer.extensions().get::<Target>(), answer.extensions().get::<Why>());
    let rules: Box<[Box<str>]> =
        why.iter().flat_map(|why| &why.rules).map(|rule| rule.as_str().into()).collect();
    let mut record = line.record(slot, status.as_u16());
    record.action = Some(action.as_str());
    record.resource = Some(DEPLOYMENT);
    record.target = target.map(|Target(id)| id.as_str());
    record.layer = why.map(|why| why.layer);
    if !rules.is_empty() {
        record.policies = &rules;
    }
    let receipt = if status.is_success() {
        Some(audit.record_durably(&record))
    } else {
        audit.record(&record);
        None
    };
    drop(record);
    match receipt {
        Some(receipt) => receipt.written().await.map(|()| answer),
        None => Ok(answer),
    }
}
