//! Marks what must never be printed, before anything can print it.
//!
//! SECURITY: a sensitive header value shows as `Sensitive` in every `Debug` output, and HTTP/2
//! keeps it out of its compression table. INVARIANT I5, test
//! `i5_a_credential_in_a_header_does_not_print`.

use std::sync::Arc;

use http::{HeaderName, header};
use tower::Layer;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;

use super::Stage;

/// Request headers that carry secrets. A protocol session id is one of them: it works for its own
/// key only (I8), and is kept from logs all the same.
const SECRET: [HeaderName; 5] = [
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("mcp-session-id"),
];

/// Marks them.
pub fn layer(inner: impl Stage) -> impl Stage {
    SetSensitiveRequestHeadersLayer::from_shared(Arc::new(SECRET)).layer(inner)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::{body::Body, response::Response};
    use http::Request;
    use tower::{ServiceExt, service_fn};

    use super::*;

    #[tokio::test]
    async fn i5_a_credential_in_a_header_does_not_print() {
        let stack = layer(service_fn(async |request: Request<Body>| {
            Ok::<_, Infallible>(Response::new(Body::from(format!("{request:?}"))))
        }));
        let mut request = Request::new(Body::empty());
        for name in SECRET {
            request.headers_mut().insert(name, "hunter2".parse().unwrap());
        }
        let seen = stack.oneshot(request).await.unwrap().into_body();
        let seen = axum::body::to_bytes(seen, 10_000).await.unwrap();
        assert!(!String::from_utf8_lossy(&seen).contains("hunter2"));
    }
}
