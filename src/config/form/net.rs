//! Addresses, networks, host names and origins.
//!
//! Nothing here asks a resolver: what memgate binds to and trusts is written out, not looked up.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;

use super::{Form, Raw, wrong};

/// An IP address to listen on; `localhost` is 127.0.0.1.
#[derive(Debug)]
pub struct Host;

impl Form for Host {
    type Value = IpAddr;

    const NAME: &'static str = "IP address";

    fn read(raw: &Raw) -> Result<IpAddr, String> {
        let text = raw.text()?;
        if text == "localhost" {
            return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        bare.parse().map_err(|_| wrong(raw, "an IP address, for example `127.0.0.1` or `0.0.0.0`"))
    }

    fn show(value: &IpAddr) -> String {
        value.to_string()
    }
}

/// An IP address and a port.
#[derive(Debug)]
pub struct Address;

impl Form for Address {
    type Value = SocketAddr;

    const NAME: &'static str = "address:port";

    fn read(raw: &Raw) -> Result<SocketAddr, String> {
        let text = raw.text()?;
        let named = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        named
            .as_deref()
            .unwrap_or(text)
            .parse()
            .map_err(|_| wrong(raw, "an IP address and a port, for example `127.0.0.1:3001`"))
    }

    fn show(value: &SocketAddr) -> String {
        value.to_string()
    }
}

/// A network, or one address.
#[derive(Debug)]
pub struct Network;

impl Form for Network {
    type Value = IpNet;

    const NAME: &'static str = "network";

    fn read(raw: &Raw) -> Result<IpNet, String> {
        let text = raw.text()?;
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map_err(|_| wrong(raw, "an address or a network, for example `10.0.0.0/8`"))
    }

    fn show(value: &IpNet) -> String {
        value.to_string()
    }
}

/// An exact origin, or `*`.
#[derive(Debug)]
pub struct Origin;

impl Form for Origin {
    type Value = String;

    const NAME: &'static str = "origin";

    fn read(raw: &Raw) -> Result<String, String> {
        const EXPECTED: &str = "`scheme://host` or `scheme://host:port` without a path, for example \
             `https://app.example.com`";
        let text = raw.text()?;
        let origin = text.to_ascii_lowercase();
        if text == "*" || origin.split_once("://").is_some_and(|(s, h)| scheme(s) && authority(h)) {
            Ok(origin)
        } else {
            Err(wrong(raw, EXPECTED))
        }
    }

    fn show(value: &String) -> String {
        value.clone()
    }
}

/// A host name, `*.example.com`, an IP address, or `*`.
#[derive(Debug)]
pub struct HostPattern;

impl Form for HostPattern {
    type Value = String;

    const NAME: &'static str = "host";

    fn read(raw: &Raw) -> Result<String, String> {
        const EXPECTED: &str = "a host name without scheme and port, for example `memory.example.com` or \
             `*.example.com`";
        let text = raw.text()?;
        let host = text.to_ascii_lowercase();
        let name = host.strip_prefix("*.").unwrap_or(&host);
        let address = name == host && Host::read(raw).is_ok();
        if text == "*" || address || host_name(name) { Ok(host) } else { Err(wrong(raw, EXPECTED)) }
    }

    fn show(value: &String) -> String {
        value.clone()
    }
}

fn scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(&b))
}

/// A host and perhaps a port, as an `Origin` header writes it.
fn authority(text: &str) -> bool {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return address.port() != 0;
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') && !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let address = host.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let host = address.map_or_else(|| host_name(host), |a| a.parse::<IpAddr>().is_ok());
    host && port.is_none_or(|p| p.parse::<u16>().is_ok_and(|p| p != 0))
}

fn host_name(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw {
        Raw::Text(text.to_owned())
    }

    #[test]
    fn hosts_are_addresses() {
        for (text, address) in
            [("localhost", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("[::1]", "::1"), ("::", "::")]
        {
            assert_eq!(Host::read(&raw(text)), Ok(address.parse().unwrap()), "{text}");
        }
        assert!(Host::read(&raw("memory.example.com")).is_err());
    }

    #[test]
    fn networks_and_single_addresses_read() {
        assert_eq!(Network::read(&raw("10.0.0.1")).unwrap().to_string(), "10.0.0.1/32");
        assert_eq!(Network::read(&raw("fd00::/8")).unwrap().to_string(), "fd00::/8");
        assert!(Network::read(&raw("10.0.0.0/33")).is_err());
    }

    #[test]
    fn origins_are_exact() {
        for good in [
            "https://app.example.com",
            "http://localhost:6274",
            "http://[::1]:3000",
            "https://10.0.0.1",
            "vscode-webview://abc",
            "*",
        ] {
            assert_eq!(Origin::read(&raw(good)).as_deref(), Ok(good));
        }
        assert_eq!(
            Origin::read(&raw("HTTPS://App.Example.com")).unwrap(),
            "https://app.example.com"
        );
        for bad in [
            "https://app.example.com/",
            "app.example.com",
            "https://user@app.example.com",
            "https://*.example.com",
            "https://app.example.com:99999",
            "https://",
            "null",
            "https://a b",
        ] {
            assert!(Origin::read(&raw(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn host_patterns_have_one_leading_star_at_most() {
        for good in ["memory.example.com", "*.example.com", "*", "localhost", "[::1]", "10.1.2.3"] {
            assert_eq!(HostPattern::read(&raw(good)).as_deref(), Ok(good));
        }
        for bad in
            ["https://x", "x:3000", "*x.com", "a.*.com", "*.", "x/", "*.10.0.0.1:1", "a..b", "ä.de"]
        {
            assert!(HostPattern::read(&raw(bad)).is_err(), "{bad}");
        }
    }
}
