//! What a refusal looks like: a status, and two shapes of the body.
//!
//! REST routes answer with RFC 9457 problem details, `/mcp` with a JSON-RPC error, so that each
//! kind of client reads its own language. A missing or bad credential is the exception: one body
//! for all reasons and all routes. Nothing but [`Error::public`] leaves the process.

use std::{borrow::Cow, time::Duration};

use axum::{body::Body, response::Response};
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use serde::Serialize;

use super::layers::request_id::RequestId;
use crate::{
    domain::{Error, Kind, scope::Scope},
    limits::decision::whole_seconds,
    mcp::refusal,
    policy::Denial,
    telemetry::refusals::Why,
};

pub use crate::telemetry::refusals::Layer;

/// A refusal: its status, its sentence, and the headers that belong to it.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    detail: Cow<'static, str>,
    headers: Vec<(HeaderName, HeaderValue)>,
    scope: Option<Scope>,
    layer: Layer,
    denial: Option<Denial>,
}

impl Refusal {
    /// A refusal with this status; `detail` is lowercase, without full stop, and says what to do.
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            detail: detail.into(),
            headers: Vec::new(),
            scope: None,
            layer: Layer::Handler,
            denial: None,
        }
    }

    /// Who says it, for the operator; without this it is the route's handler.
    #[must_use]
    pub fn by(mut self, layer: Layer) -> Self {
        self.layer = layer;
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Adds `Retry-After`, rounded up to a whole second: an early retry would be refused again.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        self.with(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)))
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The answer, in the language of whoever asked.
    #[must_use]
    pub fn answer(self, to: &Asker) -> Response {
        let mut response = match self.status {
            // The other shape knows the one body of every 401.
            StatusCode::UNAUTHORIZED => self.json_rpc(to),
            _ if to.json_rpc => self.json_rpc(to),
            _ => self.problem(to),
        };
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers);
        if let Some(scope) = self.scope {
            response.extensions_mut().insert(scope);
        }
        response.extensions_mut().insert(match self.denial {
            None => Why::new(self.layer, self.detail),
            Some(denial) => Why {
                rules: denial.because.clone(),
                action: Some(denial.action),
                resource: Some(denial.resource.clone()),
                ..Why::new(self.layer, denial.sentence())
            },
        });
        response
    }

    fn problem(&self, to: &Asker) -> Response {
        #[derive(Serialize)]
        struct Problem<'a> {
            r#type: &'static str,
            title: &'a str,
            status: u16,
            detail: &'a str,
            instance: &'a str,
        }
        let body = json(&Problem {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            instance: to.id(),
        });
        let mut response = Response::new(body);
        response.headers_mut().insert(header::CONTENT_TYPE, PROBLEM);
        response
    }

    /// The code is the status, outside JSON-RPC's reserved range: nothing of the protocol went
    /// wrong, the door in front of it said no.
    fn json_rpc(&self, to: &Asker) -> Response {
        let code = i32::from(self.status.as_u16());
        refusal::Refusal::new(self.status, code, self.detail.clone())
            .with("request_id", to.id().into())
            .answer("")
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        if matches!(error.kind(), Kind::Internal | Kind::Unavailable) {
            tracing::error!(%error, "a request failed");
        }
        let mut refusal = Self::new(refusal::status(error.kind()), error.public().to_owned());
        refusal.headers = refusal::headers(error.kind());
        if let Kind::ScopeMissing(scope) = error.kind() {
            refusal.scope = Some(scope);
        }
        refusal.denial = Denial::behind(&error).cloned();
        refusal
    }
}

/// Who gets the answer: which language it speaks, and the id to quote.
#[derive(Debug, Clone)]
pub struct Asker {
    json_rpc: bool,
    id: Option<RequestId>,
}

impl Asker {
    /// Reads both off the request.
    #[must_use]
    pub fn of<B>(request: &Request<B>) -> Self {
        Self {
            json_rpc: request.uri().path() == super::MCP_PATH,
            id: request.extensions().get().cloned(),
        }
    }

    fn id(&self) -> &str {
        self.id.as_ref().map_or("", RequestId::as_str)
    }
}

/// `Content-Type` of plain JSON.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A value as a JSON body. Nothing that is written here can fail to serialize: the types are
/// ours, their map keys are text.
pub(crate) fn json<T: Serialize>(value: &T) -> Body {
    Body::from(serde_json::to_vec(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::limits::{AtOnce, Limit, Reached};

    fn asker(path: &str) -> Asker {
        Asker::of(&Request::builder().uri(path).body(()).unwrap())
    }

    async fn text(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn every_401_is_the_same() {
        for path in ["/mcp", "/admin/keys"] {
            for why in ["expired", "unknown"] {
                let error = Error::new(Kind::Unauthenticated, why);
                let response = Refusal::from(error).answer(&asker(path));
                assert_eq!(response.status(), 401);
                assert_eq!(
                    response.headers()[header::WWW_AUTHENTICATE],
                    "Bearer realm=\"memgate\""
                );
                assert_eq!(text(response).await, r#"{"error":"unauthorized"}"#);
            }
        }
    }

    #[tokio::test]
    async fn a_cause_stays_inside() {
        let error = Error::internal("disk /secret/path is broken");
        let response = Refusal::from(error).answer(&asker("/admin/keys"));
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body = text(response).await;
        assert!(!body.contains("/secret/path"));
        assert!(body.contains(r#""status":500"#) && body.contains(r#""detail":"internal error""#));
    }

    #[tokio::test]
    async fn the_mcp_route_speaks_json_rpc() {
        let response = Refusal::new(StatusCode::FORBIDDEN, "no").answer(&asker("/mcp"));
        let body: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(body["error"]["code"], 403);
        assert_eq!(body.get("id"), None, "an id that was not read is left out, never `null`");
        assert_eq!(body["jsonrpc"], "2.0");
    }

    #[test]
    fn a_wait_is_rounded_up_and_never_zero() {
        let header = |ms| {
            let kind = Kind::Overloaded { retry_after: Duration::from_millis(ms) };
            let response = Refusal::from(Error::new(kind, "slow down")).answer(&asker("/admin"));
            response.headers()[header::RETRY_AFTER].clone()
        };
        assert_eq!(header(0), "1");
        assert_eq!(header(1), "1");
        assert_eq!(header(1001), "2");
    }

    #[test]
    fn a_limit_has_its_numbers_in_either_language_and_once() {
        let limit = Limit::Places(AtOnce::Requests, 64);
        for path in ["/mcp", "/admin/keys"] {
            let kind = Kind::LimitReached(Reached { limit, retry_after: Duration::from_secs(1) });
            let response = Refusal::from(Error::new(kind, "slow down")).answer(&asker(path));
            for (name, value) in [
                ("ratelimit-policy", r#""requests-at-once";q=64;qu="concurrent-requests""#),
                ("ratelimit", r#""requests-at-once";r=0;t=1"#),
                ("retry-after", "1"),
            ] {
                let found: Vec<_> = response.headers().get_all(name).iter().collect();
                assert_eq!(found, [value], "{name} at {path}");
            }
        }
    }
}
