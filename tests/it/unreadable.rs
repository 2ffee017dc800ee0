//! Bytes that are no HTTP request get an answer like every other, and end their connection.

use std::{io::Read as _, net::SocketAddr};

use crate::world::{
    World,
    wire::{self, Response},
};

/// Every answer that these bytes get until the server closes the connection.
fn answers(address: SocketAddr, bytes: &[u8]) -> Vec<Response> {
    let mut connection = wire::connect(address, bytes).unwrap();
    let mut text = Vec::new();
    connection.read_to_end(&mut text).unwrap();
    let mut rest = text.as_slice();
    let mut answers = Vec::new();
    while !rest.is_empty() {
        answers.push(wire::read(&mut rest).unwrap());
    }
    answers
}

/// A whole answer of ours, with everything that every answer has.
fn assert_whole(world: &World, what: &str, answer: &Response) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("x-xss-protection", "0"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("cache-control", "no-store"),
        ("content-type", "application/problem+json"),
        ("connection", "close"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{what}: {answer:?}");
    }
    assert!(answer.header("date").is_some(), "{what}: {answer:?}");
    for absent in ["server", "strict-transport-security"] {
        assert_eq!(answer.header(absent), None, "{what}: {answer:?}");
    }
    let id = answer.header("x-request-id").unwrap_or_else(|| panic!("{what}: {answer:?}"));
    let problem = answer.json();
    assert_eq!(problem["instance"], id, "{what}");
    assert_eq!(problem["status"], answer.status, "{what}");
    let log = world.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains(id)).collect();
    assert_eq!(lines.len(), 1, "{what}: {lines:?}");
    assert!(lines[0].contains(&answer.status.to_string()), "{what}: {lines:?}");
}

fn refused(world: &World, status: u16) -> u64 {
    let stats = world.operator().get("/admin/stats").json();
    stats["responses"]["by_status"][status.to_string()].as_u64().unwrap_or_default()
}

#[test]
fn what_is_no_request_is_answered_in_full_and_nothing_behind_it_is_served() {
    let world = World::start();
    let address = world.address();
    let behind = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let with = |head: &str| format!("{head}\r\nHost: {address}\r\n\r\n{behind}");
    let long = format!("GET /healthz HTTP/1.1\r\nX-Long: {}", "x".repeat(40 * 1024));
    let many = format!("GET /healthz HTTP/1.1{}", "\r\nX: y".repeat(200));
    let cases = [
        (400, "words", "hello there\r\n\r\n".to_owned() + &behind),
        (400, "a TLS greeting", "\u{16}\u{3}\u{1}\0\u{5}hello\r\n".to_owned() + &behind),
        (400, "a method and nothing else", "GET\r\n\r\n".to_owned() + &behind),
        (400, "HTTP/0.9", "GET /healthz\r\n\r\n".to_owned() + &behind),
        (400, "a version that is none", with("GET /healthz HTTP/9.9")),
        (400, "NUL in the target", with("GET /health\0z HTTP/1.1")),
        (400, "NUL in a header", with("GET /healthz HTTP/1.1\r\nX-A: b\0c")),
        (400, "a folded header", with("GET /healthz HTTP/1.1\r\nX-A: b\r\n c")),
        (400, "a space before the colon", with("GET /healthz HTTP/1.1\r\nContent-Length : 5")),
        (400, "two lengths", with("POST /mcp HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2")),
        (400, "a length below zero", with("POST /mcp HTTP/1.1\r\nContent-Length: -1")),
        (400, "chunks that are none", with("POST /mcp HTTP/1.1\r\nTransfer-Encoding: chunked, x")),
        (431, "a header too long", with(&long)),
        (431, "too many headers", with(&many)),
    ];
    let before = [400, 431].map(|status| refused(&world, status));
    for (status, what, bytes) in &cases {
        let got = answers(address, bytes.as_bytes());
        assert_eq!(got.len(), 1, "{what}: {got:?}");
        assert_eq!(got[0].status, *status, "{what}: {got:?}");
        assert_whole(&world, what, &got[0]);
    }
    let counted = [400, 431].map(|status| refused(&world, status));
    assert_eq!([counted[0] - before[0], counted[1] - before[1]], [12, 2]);
}

#[test]
fn a_good_request_is_answered_before_the_garbage_behind_it() {
    let world = World::start();
    let address = world.address();
    let good = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let got = answers(address, format!("{good}{good}\0\r\n\r\n{good}").as_bytes());
    assert_eq!(got.iter().map(|a| a.status).collect::<Vec<_>>(), [200, 200, 400], "{got:?}");
    assert_whole(&world, "garbage", &got[2]);
}

#[test]
fn a_request_in_the_body_of_a_refused_one_is_never_served() {
    let world = World::start();
    let (address, key) = (world.address(), World::secrets()[0]);
    let hidden = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let post = format!("POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json");
    let known = format!(
        "{post}\r\nAccept: application/json, text/event-stream\r\nAuthorization: Bearer {key}"
    );
    for (what, status, bytes) in [
        (
            "a length beside chunks",
            401,
            format!(
                "{post}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
            ),
        ),
        (
            "a chunk size that is none, of somebody unknown",
            401,
            format!("{post}\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{hidden}"),
        ),
        (
            "a chunk size that is none, of somebody known",
            400,
            format!("{known}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\nZZ\r\n{hidden}"),
        ),
        (
            "a chunk size beyond all numbers",
            400,
            format!("{known}\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{hidden}"),
        ),
    ] {
        let got = answers(address, bytes.as_bytes());
        assert_eq!(got.iter().map(|a| a.status).collect::<Vec<_>>(), [status], "{what}: {got:?}");
        assert!(got[0].header("x-request-id").is_some(), "{what}: {got:?}");
    }
}

#[test]
fn half_a_request_gets_no_half_an_answer() {
    let world = World::start();
    for half in ["G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a"] {
        let mut connection = wire::connect(world.address(), half.as_bytes()).unwrap();
        connection.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = Vec::new();
        connection.read_to_end(&mut text).unwrap();
        assert_eq!(text, b"", "{half:?}: {}", String::from_utf8_lossy(&text));
    }
}
