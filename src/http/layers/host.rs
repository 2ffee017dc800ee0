//! Whom the request is addressed to: exactly one host, well written, one of ours.
//!
//! SECURITY: a page on any web site can point its own name at 127.0.0.1 and talk to a local
//! server (DNS rebinding); the name in `Host` then gives it away. Two `Host` headers, or a target
//! that names another host than `Host` does, make two readers disagree about one request, and
//! are refused before anything reads further.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use http::{HeaderName, Method, Request, StatusCode, header};

use super::{Stage, guard};
use crate::http::{
    error::{Layer, Refusal},
    server::peer::{Peer, Surface},
};

/// Headers of which a second one could be read differently by somebody else.
const ONCE: [HeaderName; 3] = [header::HOST, header::ORIGIN, header::AUTHORIZATION];

/// Refuses what is addressed to somebody else.
pub fn layer(hosts: Arc<Hosts>, inner: impl Stage) -> impl Stage {
    guard(move |request| check(request, &hosts).map_err(|r| r.by(Layer::Host)), inner)
}

fn check(request: &Request<Body>, hosts: &Hosts) -> Result<(), Refusal> {
    if *request.method() == Method::CONNECT {
        // A tunnel has no path, so no route could refuse it.
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this is not a proxy"));
    }
    for name in ONCE {
        if request.headers().get_all(&name).iter().nth(1).is_some() {
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                format!("the header `{name}` came more than once"),
            ));
        }
    }
    let authority = authority(request)?;
    if !hosts.trust(&authority) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "this host name is not served here; the operator can add it to `http.trusted_hosts`",
        ));
    }
    let asked = request.extensions().get::<Arc<Peer>>().and_then(|p| p.server_name.as_deref());
    if asked.is_some_and(|name| !name.eq_ignore_ascii_case(authority.host)) {
        return Err(Refusal::new(
            StatusCode::MISDIRECTED_REQUEST,
            "the connection was opened for another host name",
        ));
    }
    Ok(())
}

/// A host and a port, well formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority<'a> {
    /// As written: a name, an IPv4 address, or an IPv6 address in brackets.
    pub host: &'a str,
    /// As written.
    pub port: Option<u16>,
}

/// The one authority that `Host` and the request target agree on.
///
/// # Errors
/// 400 when there is none, when it is badly written, or when the two differ.
pub fn authority(request: &Request<Body>) -> Result<Authority<'_>, Refusal> {
    let bad = |why: &'static str| Refusal::new(StatusCode::BAD_REQUEST, why);
    let header = match request.headers().get(header::HOST) {
        Some(value) => Some(value.to_str().map_err(|_| bad("the `Host` header is unreadable"))?),
        None => None,
    };
    let text = match (header, request.uri().authority().map(http::uri::Authority::as_str)) {
        (Some(host), Some(target)) if !host.eq_ignore_ascii_case(target) => {
            return Err(bad("the request target and the `Host` header name different hosts"));
        }
        (Some(text), _) | (None, Some(text)) => text,
        (None, None) => return Err(bad("the `Host` header is missing")),
    };
    parse(text).ok_or_else(|| bad("the `Host` header is not a host name or address"))
}

/// Reads `name`, `name:port`, `1.2.3.4`, `[::1]`, `[::1]:port`; nothing else.
#[must_use]
pub fn parse(text: &str) -> Option<Authority<'_>> {
    let (host, rest) = if let Some(inside) = text.strip_prefix('[') {
        let end = inside.find(']')?;
        inside.get(..end)?.parse::<Ipv6Addr>().ok()?;
        text.split_at_checked(end + 2)?
    } else {
        text.split_at_checked(text.find(':').unwrap_or(text.len()))?
    };
    let named = host.starts_with('[')
        || (!host.is_empty()
            && host.len() <= 253
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')));
    let port = match rest.strip_prefix(':') {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some(digits.parse().ok()?)
        }
        None if rest.is_empty() => None,
        _ => return None,
    };
    named.then_some(Authority { host, port })
}

/// The hosts that are ours on one listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    /// `None` where any host is as good: see [`Hosts::on`].
    patterns: Option<Vec<Pattern>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    /// `*`, accepted in writing.
    Any,
    /// `*.example.com`: kept as `.example.com`.
    Under(String),
    /// One host, on any port or on one.
    Exactly(String, Option<u16>),
}

impl Hosts {
    /// The hosts for a listener: those that the settings name or, when they name none, the
    /// loopback names and the bound address.
    ///
    /// The health listener takes any host, since probes ask by pod address and it has nothing to
    /// steal; the Unix socket has no address that a name could point at.
    #[must_use]
    pub fn on(surface: Surface, bound: Option<SocketAddr>, trusted: &[String]) -> Self {
        if matches!(surface, Surface::Ops | Surface::Control) {
            return Self { patterns: None };
        }
        let mut patterns: Vec<_> = trusted.iter().map(|text| Pattern::parse(text)).collect();
        if patterns.is_empty() {
            patterns.extend(["localhost", "127.0.0.1", "[::1]"].map(Pattern::parse));
            match bound.map(|b| b.ip()).filter(|ip| !ip.is_unspecified()) {
                Some(IpAddr::V4(ip)) => patterns.push(Pattern::parse(&ip.to_string())),
                Some(IpAddr::V6(ip)) => patterns.push(Pattern::parse(&format!("[{ip}]"))),
                None => {}
            }
        }
        Self { patterns: Some(patterns) }
    }

    fn trust(&self, asked: &Authority<'_>) -> bool {
        let Some(patterns) = &self.patterns else { return true };
        patterns.iter().any(|pattern| match pattern {
            Pattern::Any => true,
            Pattern::Under(suffix) => {
                let at = asked.host.len().checked_sub(suffix.len()).filter(|at| *at > 0);
                at.and_then(|at| asked.host.get(at..))
                    .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
            }
            Pattern::Exactly(host, port) => {
                host.eq_ignore_ascii_case(asked.host) && (port.is_none() || *port == asked.port)
            }
        })
    }
}

impl Pattern {
    fn parse(text: &str) -> Self {
        if text == "*" {
            return Self::Any;
        }
        if let Some(suffix) = text.strip_prefix('*').filter(|rest| rest.starts_with('.')) {
            return Self::Under(suffix.to_owned());
        }
        if let Ok(ip) = text.parse::<Ipv6Addr>() {
            return Self::Exactly(format!("[{ip}]"), None);
        }
        match parse(text) {
            Some(Authority { host, port }) => Self::Exactly(host.to_owned(), port),
            // Settings are checked long before; a pattern nobody can read matches nobody.
            None => Self::Exactly(text.to_owned(), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ours(trusted: &[&str]) -> Hosts {
        let trusted: Vec<_> = trusted.iter().map(|t| (*t).to_owned()).collect();
        Hosts::on(Surface::Public, Some("127.0.0.1:3000".parse().unwrap()), &trusted)
    }

    fn status(hosts: &Hosts, target: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        check(&request, hosts).map_or_else(|refusal| refusal.status().as_u16(), |()| 200)
    }

    #[test]
    fn one_well_written_host_of_ours_passes() {
        let hosts = ours(&[]);
        for good in ["localhost", "LOCALHOST:3000", "127.0.0.1:1", "[::1]:3000", "[::1]"] {
            assert_eq!(status(&hosts, "/mcp", &[("host", good)]), 200, "{good}");
        }
        for foreign in ["evil.example", "localhost.evil.example", "127.0.0.2", "xlocalhost"] {
            assert_eq!(status(&hosts, "/mcp", &[("host", foreign)]), 403, "{foreign}");
        }
        for bad in ["", "a@localhost", "localhost:", "localhost:x", "[::1", "[1]", "a b", ":80"] {
            assert_eq!(status(&hosts, "/mcp", &[("host", bad)]), 400, "{bad:?}");
        }
        assert_eq!(status(&hosts, "/mcp", &[]), 400);
    }

    #[test]
    fn two_of_one_kind_are_refused() {
        let hosts = ours(&[]);
        let host = ("host", "localhost");
        assert_eq!(status(&hosts, "/", &[host, host]), 400);
        assert_eq!(status(&hosts, "/", &[host, ("origin", "a"), ("origin", "a")]), 400);
        assert_eq!(
            status(&hosts, "/", &[host, ("authorization", "a"), ("authorization", "b")]),
            400
        );
    }

    #[test]
    fn target_and_host_must_agree() {
        let hosts = ours(&[]);
        assert_eq!(status(&hosts, "http://localhost/mcp", &[("host", "localhost")]), 200);
        assert_eq!(status(&hosts, "http://localhost/mcp", &[]), 200, "HTTP/2 has no Host");
        assert_eq!(status(&hosts, "http://evil.example/mcp", &[("host", "localhost")]), 400);
        assert_eq!(status(&hosts, "http://localhost/mcp", &[("host", "evil.example")]), 400);
    }

    #[test]
    fn patterns_match_whole_labels() {
        let hosts = ours(&["*.example.com", "one.test:8443", "::1"]);
        for good in ["a.example.com", "A.B.EXAMPLE.com:9", "one.test:8443", "[::1]:3000"] {
            assert_eq!(status(&hosts, "/", &[("host", good)]), 200, "{good}");
        }
        let foreign = ["example.com", ".example.com", "aexample.com", "one.test", "localhost"];
        for foreign in foreign {
            assert_eq!(status(&hosts, "/", &[("host", foreign)]), 403, "{foreign}");
        }
    }

    #[test]
    fn the_name_of_the_handshake_must_be_the_host() {
        let mut peer = Peer::plain(Peer::LOCAL);
        peer.server_name = Some("a.example.com".into());
        let request = |host: &str| {
            let mut request = Request::builder().header("host", host).body(Body::empty()).unwrap();
            request.extensions_mut().insert(Arc::new(peer.clone()));
            request
        };
        let hosts = ours(&["*.example.com"]);
        assert!(check(&request("A.example.com:443"), &hosts).is_ok());
        assert_eq!(check(&request("b.example.com"), &hosts).unwrap_err().status(), 421);
    }

    proptest! {
        #[test]
        fn what_parses_can_stand_in_a_location(text in "\\PC{0,40}") {
            if let Some(authority) = parse(&text) {
                prop_assert!(!authority.host.contains(['/', '@', '?', '#', ' ', '\\', '%']));
                prop_assert!(!authority.host.is_empty());
            }
        }
    }
}
