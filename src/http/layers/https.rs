//! The HTTPS rule: with `http.require_https`, plain HTTP is turned away.
//!
//! A GET is sent on to the same place over HTTPS. Anything else is refused rather than
//! redirected: a client that followed would have shown its key and its body in the clear again.
//! Stands inside the host guard, because the redirect repeats the Host.

use axum::body::Body;
use http::{HeaderValue, Method, Request, StatusCode, header};

use super::{Stage, client_address::Encrypted, guard, host};
use crate::http::error::{Layer, Refusal};

/// Turns plain HTTP away when `required`.
pub fn layer(required: bool, inner: impl Stage) -> impl Stage {
    guard(
        move |request| {
            if required { check(request).map_err(|r| r.by(Layer::Https)) } else { Ok(()) }
        },
        inner,
    )
}

fn check(request: &Request<Body>) -> Result<(), Refusal> {
    if matches!(request.extensions().get(), Some(Encrypted(true))) {
        return Ok(());
    }
    let place = (*request.method() == Method::GET || *request.method() == Method::HEAD)
        .then(|| location(request))
        .flatten();
    Err(match place {
        Some(place) => {
            Refusal::new(StatusCode::PERMANENT_REDIRECT, "this server speaks HTTPS only")
                .with(header::LOCATION, place)
        }
        None => Refusal::new(StatusCode::FORBIDDEN, "this server speaks HTTPS only"),
    })
}

fn location(request: &Request<Body>) -> Option<HeaderValue> {
    let host = host::authority(request).ok()?.host;
    let target = request.uri().path_and_query().map_or("/", |p| p.as_str());
    HeaderValue::try_from(format!("https://{host}{target}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method, encrypted: bool) -> Request<Body> {
        let mut request = Request::builder()
            .method(method)
            .uri("/health?a=1")
            .header(header::HOST, "memory.example.com:3000")
            .body(Body::empty())
            .unwrap();
        request.extensions_mut().insert(Encrypted(encrypted));
        request
    }

    #[test]
    fn a_get_is_redirected_and_a_post_refused() {
        assert!(check(&request(Method::POST, true)).is_ok());
        assert_eq!(check(&request(Method::POST, false)).unwrap_err().status(), 403);
        let moved = check(&request(Method::GET, false)).unwrap_err();
        assert_eq!(moved.status(), 308);
        let place = location(&request(Method::GET, false)).unwrap();
        assert_eq!(place, "https://memory.example.com/health?a=1");
    }
}
