//! The header fields that every answer carries, whatever its status.

use serde_json::json;

use crate::world::{World, wire};

#[test]
fn every_status_carries_them() {
    let world = World::with(&[("RATE_LIMIT_REQUESTS", "3"), ("RATE_LIMIT_WINDOW", "3600")]);
    let (anonymous, acme) = (world.anonymous(), world.acme());
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let mut answers = vec![
        (200, anonymous.get("/healthz")),
        (401, anonymous.post("/mcp", &list)),
        (400, acme.with("x-api-key", "x").post("/mcp", &list)),
        (403, acme.with("origin", "https://evil.example").post("/mcp", &list)),
        (403, acme.instead("host", "evil.example").post("/mcp", &list)),
        (403, acme.get("/admin/stats")),
        (404, anonymous.get("/nowhere")),
        (405, anonymous.send("PUT", "/healthz", None)),
        (413, anonymous.send("POST", "/mcp", Some("x".repeat(2 << 20)))),
        (415, acme.with("content-type", "text/plain").post("/mcp", &list)),
        (200, acme.rpc("tools/list", json!({})).http),
    ];
    let mut limited: Vec<_> = (0..4).map(|_| acme.rpc("tools/list", json!({})).http).collect();
    answers.push((429, limited.pop().unwrap()));
    for (status, answer) in &answers {
        assert_eq!(answer.status, *status, "{answer:?}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("x-xss-protection", "0"),
            ("referrer-policy", "strict-origin-when-cross-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{status}: {answer:?}");
        }
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("default-src 'none'"), "{status}: {policy}");
        assert!(answer.header("x-request-id").is_some_and(|id| !id.is_empty()), "{status}");
        assert_eq!(answer.header("server"), None, "{status}");
        assert_eq!(answer.header("strict-transport-security"), None, "plain HTTP: {status}");
    }
    let ids: std::collections::BTreeSet<_> =
        answers.iter().map(|(_, a)| a.header("x-request-id").unwrap()).collect();
    assert_eq!(ids.len(), answers.len(), "every request has an id of its own");
}

#[test]
fn a_request_id_of_the_client_is_not_taken_over() {
    let world = World::start();
    let answer = world.anonymous().with("x-request-id", "\u{1b}]0;owned\u{7}").get("/healthz");
    assert!(!answer.header("x-request-id").unwrap_or_default().contains("owned"), "{answer:?}");
    let answer = world.anonymous().with("x-request-id", "owned").get("/healthz");
    assert_eq!(answer.status, 200);
    assert_ne!(answer.header("x-request-id"), Some("owned"));
    assert!(!world.log().contains('\u{1b}'), "no escape sequence reaches the log");
}

#[test]
fn all_refused_credentials_read_the_same() {
    let world = World::start();
    let revoked = world.second_of_acme();
    world.operator().delete(&format!("/admin/keys/{}", revoked.id));
    let unknown = "mg_aaaaaaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_00000000";
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let mut bodies = std::collections::BTreeSet::new();
    for (what, caller) in [
        ("none", world.anonymous()),
        ("wrong", world.bearer("not-a-key-at-all-0123456789")),
        ("unknown", world.bearer(unknown)),
        ("revoked", revoked.caller),
        ("digest", world.anonymous().with("authorization", "Digest username=\"a\"")),
        ("cookie", world.anonymous().with("cookie", "api_key=x")),
    ] {
        let answer = caller.post("/mcp", &list);
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"memgate\""), "{what}");
        bodies.insert(answer.body);
    }
    assert_eq!(bodies.into_iter().collect::<Vec<_>>(), [r#"{"error":"unauthorized"}"#]);
}

#[test]
fn ambiguous_requests_are_refused() {
    let world = World::start();
    let address = world.address();
    let key = World::secrets()[0];
    for (what, head) in [
        ("two hosts", format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nHost: evil.example")),
        ("no host", "GET /healthz HTTP/1.1\r\nX-A: b".to_owned()),
        (
            "target is not host",
            format!("GET http://evil.example/healthz HTTP/1.1\r\nHost: {address}"),
        ),
        ("a key in the URL", format!("GET /mcp?api_key={key} HTTP/1.1\r\nHost: {address}")),
        (
            "one key twice",
            format!(
                "POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
                 Content-Length: 2\r\nAuthorization: Bearer {key}\r\nAuthorization: Bearer {key}"
            ),
        ),
    ] {
        let request = format!("{head}\r\nConnection: close\r\n\r\n{{}}");
        let answer = wire::exchange(address, request.as_bytes()).unwrap();
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
    }
    assert!(!world.log().contains(key), "i5: a key in a URL is not logged");
}

#[test]
fn only_listed_origins_get_cors_answers() {
    let world = World::with(&[("ALLOWED_ORIGINS", "https://app.example")]);
    let ask = |origin: &str| {
        world
            .anonymous()
            .with("origin", origin)
            .with("access-control-request-method", "POST")
            .with("access-control-request-headers", "authorization, mcp-method")
            .send("OPTIONS", "/mcp", None)
    };
    let good = ask("https://app.example");
    assert_eq!(good.header("access-control-allow-origin"), Some("https://app.example"), "{good:?}");
    assert_eq!(good.header("access-control-allow-credentials"), None);
    for evil in ["https://evil.example", "http://app.example", "https://app.example.evil", "null"] {
        let answer = ask(evil);
        assert_eq!(answer.header("access-control-allow-origin"), None, "{evil}: {answer:?}");
    }
}
