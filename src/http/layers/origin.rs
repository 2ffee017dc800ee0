//! Which web pages may talk to us: those of the listed origins, on every route.
//!
//! A browser says where a page comes from in `Origin`; programs send none and pass. SECURITY:
//! the check is exact (scheme, host and port), `null` is nobody, and the list is the same value
//! that CORS answers from, so the two can never disagree. On a loopback listener its own origins
//! count as ours: a page served from this very port may speak to it.

use std::{net::SocketAddr, sync::Arc};

use axum::body::Body;
use http::{HeaderValue, Request, StatusCode, header};

use super::{Stage, guard};
use crate::http::error::{Layer, Refusal};

/// Refuses pages of foreign origins.
pub fn layer(origins: Arc<Origins>, inner: impl Stage) -> impl Stage {
    guard(move |request| check(request, &origins).map_err(|r| r.by(Layer::Origin)), inner)
}

fn check(request: &Request<Body>, origins: &Origins) -> Result<(), Refusal> {
    match request.headers().get(header::ORIGIN) {
        Some(origin) if !origins.allow(origin) => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "pages of this origin may not talk to this server; the operator can add it to \
             `http.allowed_origins`",
        )),
        _ => Ok(()),
    }
}

/// The origins whose pages may talk to one listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins {
    any: bool,
    exact: Vec<Box<str>>,
}

impl Origins {
    /// The listed origins, and the listener's own when it is bound to a loopback address.
    #[must_use]
    pub fn on(bound: Option<SocketAddr>, encrypted: bool, allowed: &[String]) -> Self {
        let any = allowed.iter().any(|origin| origin == "*");
        let mut exact: Vec<Box<str>> = allowed.iter().map(|o| o.as_str().into()).collect();
        if let Some(bound) = bound.filter(|b| b.ip().is_loopback()) {
            let (scheme, usual) = if encrypted { ("https", 443) } else { ("http", 80) };
            let port =
                if bound.port() == usual { String::new() } else { format!(":{}", bound.port()) };
            let own = ["localhost", "127.0.0.1", "[::1]"];
            exact.extend(own.map(|host| format!("{scheme}://{host}{port}").into()));
        }
        Self { any, exact }
    }

    /// May pages of this origin talk to us?
    #[must_use]
    pub fn allow(&self, origin: &HeaderValue) -> bool {
        let said = origin.as_bytes();
        self.any || self.exact.iter().any(|ours| ours.as_bytes().eq_ignore_ascii_case(said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(bound: &str, list: &[&str], origin: &'static str) -> bool {
        let list: Vec<_> = list.iter().map(|o| (*o).to_owned()).collect();
        Origins::on(Some(bound.parse().unwrap()), false, &list)
            .allow(&HeaderValue::from_static(origin))
    }

    #[test]
    fn only_the_exact_origin_is_ours() {
        let list = ["https://app.example.com"];
        assert!(allowed("0.0.0.0:3000", &list, "https://app.example.com"));
        for foreign in [
            "http://app.example.com",
            "https://app.example.com:8444",
            "https://app.example.com.evil.example",
            "https://evilapp.example.com",
            "https://app.example.com/",
            "null",
            "",
            "http://localhost:3000",
        ] {
            assert!(!allowed("0.0.0.0:3000", &list, foreign), "{foreign}");
        }
    }

    #[test]
    fn a_loopback_listener_is_its_own_origin() {
        assert!(allowed("127.0.0.1:3000", &[], "http://localhost:3000"));
        assert!(allowed("[::1]:3000", &[], "http://[::1]:3000"));
        assert!(allowed("127.0.0.1:80", &[], "http://127.0.0.1"));
        assert!(!allowed("127.0.0.1:3000", &[], "http://localhost:3001"));
        assert!(!allowed("127.0.0.1:3000", &[], "https://localhost:3000"));
        assert!(!allowed("192.168.0.2:3000", &[], "http://192.168.0.2:3000"));
    }

    #[test]
    fn no_origin_is_no_page() {
        let request = Request::new(Body::empty());
        let nobody = Origins::on(None, false, &[]);
        assert!(check(&request, &nobody).is_ok());
    }
}
