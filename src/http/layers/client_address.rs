//! Which address is calling, and whether the way to us was encrypted.
//!
//! Only hops of `listen.trusted_proxies` may say so on somebody else's behalf. SECURITY: of an
//! `X-Forwarded-For` list the right-most hop that is not a trusted proxy counts, because
//! everything left of it was written by the caller.

use std::{net::IpAddr, sync::Arc};

use axum::body::Body;
use http::{HeaderMap, HeaderName, Request};
use ipnet::IpNet;
use tower::service_fn;

use super::Stage;
use crate::http::server::peer::Peer;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The longest `X-Forwarded-For` chain that is followed.
const MAX_HOPS: usize = 16;

/// The caller's address, found in the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// Whether the caller's way to us was encrypted, by our own TLS or by a trusted proxy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encrypted(pub bool);

/// Finds the address and the scheme and leaves them in the request's extensions.
pub fn layer(trusted: Arc<[IpNet]>, inner: impl Stage) -> impl Stage {
    let mut inner = inner;
    service_fn(move |mut request: Request<Body>| {
        let (address, encrypted) = match request.extensions().get::<Arc<Peer>>() {
            Some(peer) => resolve(peer, &trusted, request.headers()),
            None => (Peer::LOCAL, false),
        };
        request.extensions_mut().insert(ClientAddress(address));
        request.extensions_mut().insert(Encrypted(encrypted));
        inner.call(request)
    })
}

fn resolve(peer: &Peer, trusted: &[IpNet], headers: &HeaderMap) -> (IpAddr, bool) {
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    let direct = peer.address.to_canonical();
    if trusted.is_empty() || !is_trusted(direct) {
        return (direct, peer.encrypted);
    }
    let mut client = direct;
    let hops = headers.get_all(FORWARDED_FOR).iter().rev();
    let hops = hops.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
    for hop in hops.take(MAX_HOPS) {
        // An unreadable hop ends the walk: what stands left of it cannot be believed.
        let Some(address) = parse_hop(hop.trim()) else { break };
        client = address;
        if !is_trusted(address) {
            break;
        }
    }
    let mut said = headers.get_all(FORWARDED_PROTO).iter();
    let encrypted = match (said.next(), said.next()) {
        (Some(scheme), None) => scheme.as_bytes().eq_ignore_ascii_case(b"https"),
        (Some(_), Some(_)) => false,
        (None, _) => peer.encrypted,
    };
    (client, encrypted)
}

/// One hop: an address, an address with a port, or `[v6]` with or without one.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let address = text
        .parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|a| a.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, trusted: &[&str], lines: &[&str]) -> String {
        let trusted: Vec<IpNet> = trusted.iter().map(|t| t.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        resolve(&Peer::plain(peer.parse().unwrap()), &trusted, &headers).0.to_string()
    }

    #[test]
    fn nobody_is_believed_without_a_trusted_proxy() {
        assert_eq!(seen("9.9.9.9", &[], &["1.1.1.1"]), "9.9.9.9");
        assert_eq!(seen("9.9.9.9", &["10.0.0.0/8"], &["1.1.1.1"]), "9.9.9.9");
    }

    #[test]
    fn the_right_most_hop_that_is_not_ours_counts() {
        let ours = ["10.0.0.0/8"];
        assert_eq!(seen("10.0.0.1", &ours, &["6.6.6.6, 1.1.1.1, 10.0.0.2"]), "1.1.1.1");
        assert_eq!(seen("10.0.0.1", &ours, &["6.6.6.6", "1.1.1.1"]), "1.1.1.1");
        assert_eq!(seen("10.0.0.1", &ours, &["6.6.6.6, [2001:db8::1]:99"]), "2001:db8::1");
        assert_eq!(seen("10.0.0.1", &ours, &["::ffff:1.1.1.1"]), "1.1.1.1");
    }

    #[test]
    fn an_unreadable_hop_ends_the_walk() {
        let ours = ["10.0.0.0/8"];
        assert_eq!(seen("10.0.0.1", &ours, &["1.1.1.1, unknown, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(seen("10.0.0.1", &ours, &["1.1.1.1, "]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &ours, &[]), "10.0.0.1");
    }

    #[test]
    fn the_scheme_is_believed_from_a_trusted_proxy_only() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_PROTO, "https".parse().unwrap());
        let peer = |a: &str| Peer::plain(a.parse().unwrap());
        assert!(resolve(&peer("10.0.0.1"), &trusted, &headers).1);
        assert!(!resolve(&peer("9.9.9.9"), &trusted, &headers).1);
        headers.append(FORWARDED_PROTO, "https".parse().unwrap());
        assert!(!resolve(&peer("10.0.0.1"), &trusted, &headers).1, "said twice");
    }
}
