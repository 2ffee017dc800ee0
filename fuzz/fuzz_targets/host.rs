//! The `Host` header: what parses is a bare name or address, and only listed hosts are ours.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memgate::http::layers::host;

fuzz_target!(|text: &str| {
    let Some(authority) = host::parse(text) else { return };
    let written = match authority.port {
        Some(_) => text.rsplit_once(':').map_or(text, |(host, _)| host),
        None => text,
    };
    assert_eq!(authority.host, written);
    assert!(!authority.host.is_empty());
    assert!(!text.contains(['/', '@', '?', '#', '\\', ' ', '\t', '\r', '\n', '\0', '%', ',']));
    // What we take for a host, the library that parses URIs takes for the same one.
    let uri: http::uri::Authority = text.parse().expect("also a host for `http`");
    assert_eq!(uri.host(), authority.host);
    assert_eq!(uri.port_u16(), authority.port);
});
