//! The headers that every answer carries, whatever its status.
//!
//! memgate's answers are data, never pages: nothing in them may run, be framed, be sniffed or be
//! kept. `Strict-Transport-Security` is said only on an encrypted way, where it is believed.

use axum::{body::Body, response::Response};
use futures::FutureExt;
use http::{HeaderName, HeaderValue, Request, header};
use tower::service_fn;

use super::{Stage, client_address::Encrypted};

const ALWAYS: [(HeaderName, HeaderValue); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // The old filter was an attack surface of its own: 0 switches it off.
    (header::X_XSS_PROTECTION, HeaderValue::from_static("0")),
    (header::REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];
/// Two years, as browsers' preload lists ask for.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");

/// Sets them, over whatever the inside said.
pub fn layer(inner: impl Stage) -> impl Stage {
    let mut inner = inner;
    service_fn(move |request: Request<Body>| {
        let encrypted = matches!(request.extensions().get(), Some(Encrypted(true)));
        inner.call(request).map(move |answer| {
            answer.map(|mut response: Response| {
                let headers = response.headers_mut();
                headers.reserve(ALWAYS.len() + 2);
                for (name, value) in ALWAYS {
                    headers.insert(name, value);
                }
                if encrypted {
                    headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
                }
                headers.remove(header::SERVER);
                response
            })
        })
    })
}
