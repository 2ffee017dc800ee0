//! `/admin/audit`: the record of decisions, shown and verified.
//!
//! Both read files, on the blocking pool, one at a time. Records hold no memory and no secret, so an operator may
//! read all of them.

mod csv;

use std::sync::Arc;

use axum::{body::Body, extract::Query, response::Response};
use http::{HeaderValue, Request, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::exchange::{blocking, ok};
use crate::{
    audit::{
        read::{Filter, Reader, Shown},
        verify::{self, Ask},
    },
    domain::{Error, Result},
    http::{error::Refusal, state::State},
};

/// Records in an answer, unless `limit` says otherwise.
const USUAL: usize = 100;
/// And at most; the command line exports all of them.
const MOST: usize = 10_000;

/// What may be asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    limit: Option<usize>,
    #[serde(default)]
    format: Format,
    key_id: Option<String>,
    tenant: Option<String>,
    action: Option<String>,
    what: Option<String>,
    outcome: Option<String>,
    request: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Jsonl,
    Csv,
}

#[derive(Serialize)]
struct Records {
    records: Vec<Value>,
}

/// `GET /admin/audit`: the last records that fit, the newest at the end.
pub(in crate::http) async fn show(
    state: Arc<State>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let wanted = Query::<Wanted>::try_from_uri(request.uri()).map_err(|_| {
        Error::bad_input(
            "a parameter is unknown or has no such value; there are limit, format (json, jsonl, \
             csv), key_id, tenant, action, what, outcome, request, since and until (times like \
             2026-07-28T12:00:00Z)",
        )
    })?;
    let Query(Wanted {
        limit,
        format,
        key_id: key,
        tenant,
        action,
        what,
        outcome,
        request,
        since,
        until,
    }) = wanted;
    let limit = limit.unwrap_or(USUAL);
    if limit > MOST {
        let sentence = format!("`limit` is at most {MOST}; `memgate audit export` has no limit");
        return Err(Error::bad_input(sentence).into());
    }
    let checkpoints = false;
    let filter = Filter { key, tenant, action, what, outcome, request, since, until, checkpoints };
    let place = state.audit.reading()?;
    let found = blocking(&state, move |state| {
        let _place = place;
        Reader::new(state.audit.directory(), filter).tail(limit)
    });
    let found = found.await?;
    Ok(match format {
        Format::Json => {
            ok(&Records { records: found.into_iter().map(|shown| shown.members).collect() })
        }
        Format::Jsonl => file("application/x-ndjson", "audit.jsonl", lines(&found)),
        Format::Csv => file("text/csv; charset=utf-8", "audit.csv", csv::table(&found)),
    })
}

/// `GET /admin/audit/verify`: 200 with the report, whatever it says.
pub(in crate::http) async fn verify(
    state: Arc<State>,
    _: Request<Body>,
) -> Result<Response, Refusal> {
    let place = state.audit.reading()?;
    let report = blocking(&state, |state| {
        let _place = place;
        let keys = [state.audit.public_key()];
        let ask = Ask { keys: &keys, heads: &[], growing: true };
        verify::verify(state.audit.directory(), &ask, &mut |_, _| ())
    });
    Ok(ok(&report.await?))
}

fn lines(found: &[Shown]) -> String {
    found.iter().flat_map(|shown| [shown.line.as_str(), "\n"]).collect()
}

fn file(kind: &'static str, name: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}
