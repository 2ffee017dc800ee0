//! A request head that is too big: 414 for the target, 431 for the fields. And one that is none.
//!
//! hyper bounds the whole head in bytes and in fields before this runs; here stand our own,
//! lower bounds, which hold for HTTP/2 as well. What hyper turns away itself comes here as a
//! request that stands for it ([`Unreadable`]), so that its answer is like every other.

use axum::body::Body;
use http::{Request, StatusCode};

use super::{Stage, guard};
use crate::{
    config::listen::Listen,
    http::{
        error::{Layer, Refusal},
        server::unreadable::Unreadable,
    },
};

/// Refuses what is longer than the settings allow.
pub fn layer<S: Stage>(settings: &Listen, inner: S) -> impl Stage + use<S> {
    let (max_uri, max_headers) = (settings.max_uri_bytes, settings.max_headers);
    let max_head = settings.max_header_bytes;
    guard(
        move |request| {
            if let Some(Unreadable(status)) = request.extensions().get() {
                return Err(unreadable(*status, max_head).by(Layer::Head));
            }
            check(request, max_uri, max_headers).map_err(|r| r.by(Layer::Head))
        },
        inner,
    )
}

fn unreadable(status: StatusCode, max_head: usize) -> Refusal {
    let why = match status {
        StatusCode::URI_TOO_LONG => "the request target is too long".into(),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            format!("the request head is longer than {max_head} bytes or has too many fields")
        }
        _ => "this is no HTTP request".into(),
    };
    Refusal::new(status, why)
}

fn check(request: &Request<Body>, max_uri: usize, max_headers: usize) -> Result<(), Refusal> {
    let target = request.uri().path_and_query().map_or(0, |p| p.as_str().len());
    if target > max_uri {
        return Err(Refusal::new(
            StatusCode::URI_TOO_LONG,
            format!("the request target is longer than {max_uri} bytes"),
        ));
    }
    if request.headers().len() > max_headers {
        return Err(Refusal::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            format!("the request has more than {max_headers} header fields"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_is_allowed() {
        let request = |target: &str, fields: usize| {
            let mut builder = Request::builder().uri(target);
            for i in 0..fields {
                builder = builder.header(format!("x-{i}"), "v");
            }
            builder.body(Body::empty()).unwrap()
        };
        assert!(check(&request("/1234567?9", 3), 10, 3).is_ok());
        assert_eq!(check(&request("/1234567?90", 3), 10, 3).unwrap_err().status(), 414);
        assert_eq!(check(&request("/", 4), 10, 3).unwrap_err().status(), 431);
    }
}
