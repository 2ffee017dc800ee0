//! What a refusal of this room looks like: an HTTP status around a JSON-RPC error.
//!
//! A client of the newer revision that reads anything but a JSON-RPC error in a 400 takes the
//! server for an old one and starts over with `initialize`, so every refusal here is one, with
//! the request's own `id` where it could be read. Sentences are fixed or come from
//! [`Error::public`]; nothing of the protocol library's own texts gets out.

use std::{borrow::Cow, time::Duration};

use axum::body::Body;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use super::preparse::Flaw;
use crate::{
    domain::{Error, Kind, scope::Scope},
    limits::{self, decision::whole_seconds},
    telemetry::refusals::{Layer, Why},
};

/// JSON-RPC: the bytes are no message.
pub const PARSE_ERROR: i32 = -32700;
/// JSON-RPC: the message breaks a rule.
pub const INVALID_REQUEST: i32 = -32600;
/// JSON-RPC: the parameters break a rule.
pub const INVALID_PARAMS: i32 = -32602;
/// MCP: header and body disagree.
pub const HEADER_MISMATCH: i32 = -32020;
/// MCP: a revision that is not served.
pub const UNSUPPORTED_VERSION: i32 = -32022;
/// What deployed servers say of a session that is not there.
pub const NO_SESSION: i32 = -32001;

/// `Content-Type` of every answer that is no stream.
pub(in crate::mcp) const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The body of every 401, whatever the reason and the route.
const UNAUTHORIZED: &str = r#"{"error":"unauthorized"}"#;
/// How to do better, beside that body.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"memgate\"");
/// When a caller may come back after a fault that nobody can date.
const LATER: Duration = Duration::from_secs(5);

/// An answer that says no.
#[derive(Debug)]
pub struct Refusal(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    code: i32,
    message: Cow<'static, str>,
    data: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    scope: Option<Scope>,
}

impl Refusal {
    /// A refusal; `message` is lowercase and without full stop.
    #[must_use]
    pub fn new(status: StatusCode, code: i32, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            message: message.into(),
            data: Map::new(),
            headers: Vec::new(),
            scope: None,
        }))
    }

    /// 400 with this code.
    #[must_use]
    pub fn bad(code: i32, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 405; `allow` lists the methods that would do.
    #[must_use]
    pub fn method(allow: &'static str) -> Self {
        let mut refusal =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, 405, "this method is not served here");
        refusal.0.headers.push((header::ALLOW, HeaderValue::from_static(allow)));
        refusal
    }

    /// INVARIANT I8: the one answer for a session that does not exist and for one of somebody
    /// else, equal to the byte (`i8_a_foreign_session_is_an_unknown_one`).
    #[must_use]
    pub fn no_session() -> Self {
        Self::new(StatusCode::NOT_FOUND, NO_SESSION, "session not found")
    }

    /// 400: a message of the right shape whose content no type of the protocol takes.
    #[must_use]
    pub fn unfit() -> Self {
        Self::bad(INVALID_REQUEST, "the message does not fit the protocol")
    }

    /// A fault of ours, which was logged where it happened.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, -32603, "internal error")
    }

    /// Adds a field to `error.data`.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.0.data.insert(name.to_owned(), value);
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The response to the message whose `id` was written as `id` (empty: it had none that
    /// could be read, and the member is left out, as the 2026-07-28 revision wants it).
    #[must_use]
    pub fn answer(self, id: &str) -> Response<Body> {
        let Inner { status, code, message, data, headers: ours, scope } = *self.0;
        let why = Why::new(layer(status, code), message.clone());
        let mut error = json!({ "code": code, "message": message });
        if let (false, Some(error)) = (data.is_empty(), error.as_object_mut()) {
            error.insert("data".to_owned(), Value::Object(data));
        }
        // SECURITY: `id` is a complete JSON value that `preparse` has checked.
        let id = if id.is_empty() { String::new() } else { format!("\"id\":{id},") };
        let body = match status {
            StatusCode::UNAUTHORIZED => UNAUTHORIZED.to_owned(),
            _ => format!("{{\"jsonrpc\":\"2.0\",{id}\"error\":{error}}}"),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response.extensions_mut().insert(why);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, JSON);
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, CHALLENGE);
        }
        headers.extend(ours);
        if let Some(scope) = scope {
            // What the caller may do about it is said where the settings are known.
            response.extensions_mut().insert(scope);
        }
        response
    }
}

impl From<Flaw> for Refusal {
    fn from(flaw: Flaw) -> Self {
        Self::bad(flaw.code(), flaw.sentence())
    }
}

/// Refusals of the rooms to the left. The code is the status, outside JSON-RPC's reserved range:
/// nothing of the protocol went wrong. The cause ends here: whoever can tell what failed has
/// logged it.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = status(error.kind());
        let mut refusal = Self::new(status, i32::from(status.as_u16()), error.public().to_owned());
        refusal.0.headers = headers(error.kind());
        if let Kind::ScopeMissing(scope) = error.kind() {
            refusal.0.scope = Some(scope);
        }
        refusal
    }
}

/// Who said no, as far as an answer shows it. What a tool refused was noted where it was decided.
fn layer(status: StatusCode, code: i32) -> Layer {
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Layer::Places,
        StatusCode::FORBIDDEN => Layer::Session,
        StatusCode::UNAUTHORIZED => Layer::Credential,
        StatusCode::INTERNAL_SERVER_ERROR | StatusCode::REQUEST_TIMEOUT => Layer::Failure,
        _ if code == NO_SESSION => Layer::Session,
        _ => Layer::Protocol,
    }
}

/// The one table from what happened to a status, for `/mcp` and, in the room `http`, for the rest.
#[must_use]
pub fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::BadInput => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden | Kind::ScopeMissing(_) => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::LimitReached { .. } => StatusCode::TOO_MANY_REQUESTS,
        Kind::Timeout => StatusCode::REQUEST_TIMEOUT,
        Kind::Overloaded { .. } | Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The one table from what happened to the fields that say when to come back, and of a limit its
/// numbers: for `/mcp` and, in the room `http`, for the rest.
#[must_use]
pub fn headers(kind: Kind) -> Vec<(HeaderName, HeaderValue)> {
    let wait = match kind {
        Kind::LimitReached(reached) => return limits::headers::refusal(&reached).collect(),
        Kind::Overloaded { retry_after } => retry_after,
        Kind::Unavailable => LATER,
        _ => return Vec::new(),
    };
    vec![(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::limits::{AtOnce, Limit, Reached};

    async fn text(response: Response<Body>) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn each_kind_has_a_status_of_its_own() {
        let retry_after = LATER;
        let limit = Limit::Places(AtOnce::Sessions, 3);
        for (kind, code) in [
            (Kind::BadInput, 400),
            (Kind::Unauthenticated, 401),
            (Kind::Forbidden, 403),
            (Kind::NotFound, 404),
            (Kind::Timeout, 408),
            (Kind::Conflict, 409),
            (Kind::TooLarge, 413),
            (Kind::LimitReached(Reached { limit, retry_after }), 429),
            (Kind::Internal, 500),
            (Kind::Overloaded { retry_after }, 503),
            (Kind::Unavailable, 503),
        ] {
            let answer = Refusal::from(Error::new(kind, "no")).answer("");
            assert_eq!(answer.status(), code, "{kind:?}");
            let later = [429, 503].contains(&code);
            assert_eq!(answer.headers().contains_key("retry-after"), later, "{kind:?}");
        }
    }

    #[tokio::test]
    async fn the_id_comes_back_as_it_was_written() {
        let answer = Refusal::bad(INVALID_REQUEST, "no \"quotes\"").answer(r#""a\nb""#);
        assert_eq!(
            text(answer).await,
            r#"{"jsonrpc":"2.0","id":"a\nb","error":{"code":-32600,"message":"no \"quotes\""}}"#
        );
        assert!(!text(Refusal::from(Flaw::NotJson).answer("")).await.contains("\"id\""));
    }

    #[tokio::test]
    async fn a_key_that_is_gone_reads_like_any_401() {
        let answer = Refusal::from(Error::new(Kind::Unauthenticated, "gone")).answer("7");
        assert_eq!(answer.status(), 401);
        assert!(answer.headers().contains_key("www-authenticate"));
        assert_eq!(text(answer).await, r#"{"error":"unauthorized"}"#);
    }

    #[tokio::test]
    async fn a_limit_says_when_and_a_cause_stays_inside() {
        let limit = Limit::Places(AtOnce::Sessions, 3);
        let reached = Reached { limit, retry_after: Duration::from_millis(1100) };
        let full = Error::new(Kind::LimitReached(reached), "too many sessions");
        let answer = Refusal::from(full).answer("1");
        let header = |name| answer.headers()[name].to_str().unwrap();
        assert_eq!((answer.status().as_u16(), header("retry-after")), (429, "2"));
        assert_eq!(header("ratelimit-policy"), r#""sessions";q=3;qu="concurrent-requests""#);
        assert_eq!(header("ratelimit"), r#""sessions";r=0;t=2"#);
        let answer = Refusal::from(Error::internal("disk /secret is broken")).answer("1");
        assert_eq!(answer.status(), 500);
        assert!(!text(answer).await.contains("secret"));
    }
}
