//! What a browser needs to hear before it lets a page of an allowed origin talk to us.
//!
//! Stands outside authentication, because a preflight carries no key, and inside the origin
//! check, whose very list it answers from: a foreign origin never gets here, so no answer to one
//! carries an `Access-Control` header. Credentials (cookies) are never allowed.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use futures::future::Either;
use http::{HeaderName, Method, Request, header};
use tower::{Layer, service_fn};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::{Stage, origin::Origins, request_id};

/// How long a browser may remember a preflight's answer.
const MAX_AGE: Duration = Duration::from_mins(10);

/// Answers preflights, and adds what a page may read to other answers, when `enabled`.
pub fn layer(enabled: bool, origins: Arc<Origins>, inner: impl Stage) -> impl Stage {
    let mut plain = inner.clone();
    let mut cors = rules(origins).layer(inner);
    service_fn(move |request: Request<Body>| {
        // Programs send no Origin; they skip the work.
        if enabled && request.headers().contains_key(header::ORIGIN) {
            Either::Left(tower::Service::call(&mut cors, request))
        } else {
            Either::Right(plain.call(request))
        }
    })
}

fn rules(origins: Arc<Origins>) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| origins.allow(origin)))
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        // `mcp-param-*` has no closed list, so the asked names are answered back: a page gains
        // nothing by a header that we do not read.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            HeaderName::from_static("mcp-session-id"),
            header::WWW_AUTHENTICATE,
            header::RETRY_AFTER,
            HeaderName::from_static("ratelimit"),
            HeaderName::from_static("ratelimit-policy"),
            request_id::HEADER,
        ])
        .max_age(MAX_AGE)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::response::Response;
    use tower::ServiceExt;

    use super::*;

    async fn answer(enabled: bool, request: http::request::Builder) -> Response {
        let inside = service_fn(async |_: Request<Body>| {
            Ok::<_, Infallible>(Response::builder().status(418).body(Body::empty()).unwrap())
        });
        let origins = Origins::on(None, false, &["https://a.example".to_owned()]);
        let request = request.body(Body::empty()).unwrap();
        layer(enabled, Arc::new(origins), inside).oneshot(request).await.unwrap()
    }

    fn preflight() -> http::request::Builder {
        Request::builder()
            .method(Method::OPTIONS)
            .header("origin", "https://a.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,mcp-param-x")
    }

    #[tokio::test]
    async fn a_preflight_ends_here() {
        let response = answer(true, preflight()).await;
        assert_eq!(response.status(), 200);
        let said = |name: &str| response.headers().get(name).map(|v| v.to_str().unwrap());
        assert_eq!(said("access-control-allow-origin"), Some("https://a.example"));
        assert_eq!(said("access-control-allow-headers"), Some("authorization,mcp-param-x"));
        assert_eq!(said("access-control-allow-credentials"), None);
    }

    #[tokio::test]
    async fn a_page_may_read_the_session_id_and_the_challenge() {
        let get = Request::builder().header("origin", "https://a.example");
        let response = answer(true, get).await;
        assert_eq!(response.status(), 418);
        let exposed = response.headers()["access-control-expose-headers"].to_str().unwrap();
        assert!(exposed.contains("mcp-session-id") && exposed.contains("www-authenticate"));
    }

    #[tokio::test]
    async fn without_cors_and_without_an_origin_nothing_is_said() {
        for response in [answer(false, preflight()).await, answer(true, Request::builder()).await] {
            assert_eq!(response.status(), 418);
            assert!(response.headers().is_empty());
        }
    }
}
