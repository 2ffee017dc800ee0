//! The order of the layers, as what comes of it.

use http::{Request, header, request::Builder};

use super::*;
use crate::{
    audit::read::{Filter, Reader},
    http::testing::{Scene, text},
};

/// A request with one Host of ours.
fn to(method: &str, path: &str) -> Builder {
    Request::builder().method(method).uri(path).header(header::HOST, "localhost:3000")
}

/// What every answer carries.
const ALWAYS: [(&str, &str); 6] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-xss-protection", "0"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cache-control", "no-store"),
];

#[tokio::test]
async fn every_status_carries_the_headers_and_is_counted_once() {
    let scene = Scene::with(|s| s.listen.max_body_bytes = 10);
    let key = scene.agent("acme");
    let bearer = format!("Bearer {key}");
    let answers = [
        (200, scene.send(to("GET", "/health"), "").await),
        (200, scene.call("POST", "/mcp", Some(&key), "").await),
        (400, scene.send(Request::builder().uri("/health"), "").await),
        (401, scene.send(to("POST", "/mcp"), "").await),
        (403, scene.call("GET", "/admin/keys", Some(&key), "").await),
        (403, scene.send(to("GET", "/health").header("origin", "https://evil.example"), "").await),
        (404, scene.send(to("GET", "/nothing"), "").await),
        (405, scene.send(to("PUT", "/mcp"), "").await),
        (413, scene.call("POST", "/mcp", Some(&key), "12345678901").await),
        (414, scene.send(to("GET", &format!("/{}", "a".repeat(9000))), "").await),
        (500, scene.send(to("POST", "/mcp").header("authorization", bearer), "panic").await),
        (503, scene.send(to("GET", "/readyz"), "").await),
    ];
    let count = answers.len() as u64;
    for (status, answer) in answers {
        assert_eq!(answer.status(), status);
        for (name, value) in ALWAYS {
            assert_eq!(answer.headers()[name], value, "{name} at {status}");
        }
        assert_eq!(answer.headers()["x-request-id"].len(), 15, "at {status}");
        for absent in ["server", "strict-transport-security"] {
            assert!(!answer.headers().contains_key(absent), "{absent} at {status}");
        }
    }
    let counted: u64 = scene.world.stats.snapshot().responses.by_status.values().sum();
    assert_eq!(counted, count);
}

#[tokio::test]
async fn the_endpoint_learns_who_and_whence_and_the_id_that_went_out() {
    let scene = Scene::with(|s| s.listen.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]);
    let bearer = format!("Bearer {}", scene.agent("acme"));
    let request = to("POST", "/mcp")
        .header("authorization", bearer)
        .header("x-forwarded-for", "6.6.6.6, 1.2.3.4")
        .header("x-forwarded-proto", "https")
        .header("x-request-id", "chosen-by-the-client")
        .header("x-tenant-id", "globex");
    let answer = scene.send(request, "").await;
    assert!(answer.headers().contains_key("strict-transport-security"), "a proxy ended TLS");
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(text(answer).await, format!("acme 1.2.3.4 {id}"));
}

#[tokio::test]
async fn a_foreign_page_learns_nothing_and_a_preflight_needs_no_key() {
    let scene = Scene::with(|s| s.http.allowed_origins = vec!["https://app.example".into()]);
    let preflight = |origin: &str| {
        to("OPTIONS", "/mcp")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
    };
    let foreign = scene.send(preflight("https://evil.example"), "").await;
    assert_eq!(foreign.status(), 403);
    assert!(foreign.headers().keys().all(|name| !name.as_str().starts_with("access-control")));
    let ours = scene.send(preflight("https://app.example"), "").await;
    assert_eq!(ours.status(), 200);
    assert_eq!(ours.headers()["access-control-allow-origin"], "https://app.example");
    let refused = scene.send(to("POST", "/mcp").header("origin", "https://app.example"), "").await;
    assert_eq!(refused.status(), 401);
    assert_eq!(
        refused.headers()["access-control-allow-origin"],
        "https://app.example",
        "a page of ours may read why"
    );
}

#[tokio::test]
async fn the_shield_stands_before_authentication_and_behind_the_preflight() {
    let scene = Scene::with(|s| s.limits.per_address = crate::domain::limits::Rate::new(2, 3600));
    for _ in 0..2 {
        assert_eq!(scene.send(to("POST", "/mcp"), "").await.status(), 401);
    }
    let limited = scene.send(to("POST", "/mcp"), "").await;
    assert_eq!(limited.status(), 429);
    assert!(limited.headers().contains_key("retry-after"));
    assert_eq!(scene.world.stats.snapshot().auth.missing, 2, "nobody was asked");
    let preflight = to("OPTIONS", "/mcp").header("origin", "http://localhost:3000");
    assert_eq!(scene.send(preflight, "").await.status(), 200);
}

#[tokio::test]
async fn the_limit_of_a_key_is_its_own() {
    let scene = Scene::with(|s| s.limits.per_key = crate::domain::limits::Rate::new(2, 3600));
    let (one, other) = (scene.agent("acme"), scene.agent("acme"));
    for _ in 0..2 {
        assert_eq!(scene.call("POST", "/mcp", Some(&one), "").await.status(), 200);
    }
    assert_eq!(scene.call("POST", "/mcp", Some(&one), "").await.status(), 429);
    assert_eq!(scene.call("POST", "/mcp", Some(&other), "").await.status(), 200);
}

#[tokio::test]
async fn plain_http_is_turned_away_before_a_key_is_looked_at() {
    let scene = Scene::with(|s| s.http.require_https = true);
    let key = scene.agent("acme");
    assert_eq!(scene.call("POST", "/mcp", Some(&key), "").await.status(), 403);
    let moved = scene.send(to("GET", "/health"), "").await;
    assert_eq!(
        (moved.status().as_u16(), &moved.headers()["location"]),
        (308, &http::HeaderValue::from_static("https://localhost/health"),)
    );
    let auth = scene.world.stats.snapshot().auth;
    assert_eq!(auth.verified + auth.rejected + auth.missing + auth.cached, 0);
    let probe = scene.at(Surface::Ops).send(to("GET", "/health"), "").await;
    assert_eq!(probe.status(), 200);
}

#[tokio::test]
async fn hosts_that_are_not_ours_end_at_the_door_and_probes_may_ask_by_address() {
    let scene = Scene::new().from("192.0.2.7");
    let rebound = || Request::builder().uri("/health").header(header::HOST, "evil.example");
    assert_eq!(scene.send(rebound(), "").await.status(), 403);
    assert_eq!(scene.at(Surface::Ops).send(rebound(), "").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i10_a_change_whose_caller_has_gone_is_on_record() {
    let scene = Scene::new().at(Surface::Admin);
    let operator = scene.operator();
    // So that nothing but the change itself is left to wait for.
    assert_eq!(scene.call("GET", "/admin/keys", Some(&operator), "").await.status(), 200);
    let before = scene.state.registry.keys.list().len();
    let wish = r#"{"role": "operator"}"#;
    let mut call = Box::pin(scene.call("POST", "/admin/keys", Some(&operator), wish));
    while scene.state.tasks.is_empty() {
        assert!(futures::poll!(&mut call).is_pending());
        tokio::task::yield_now().await;
    }
    drop(call);
    scene.state.tasks.close();
    scene.state.tasks.wait().await;
    scene.state.audit.close().await;
    assert_eq!(scene.state.registry.keys.list().len(), before + 1, "nobody stopped it");
    let filter = Filter { action: Some("key_create".to_owned()), ..Filter::default() };
    let found = Reader::new(scene.state.audit.directory(), filter).tail(10).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].members["outcome"], "allowed");
    assert!(found[0].members["target"].is_string(), "{found:?}");
    let all = Reader::new(scene.state.audit.directory(), Filter::default()).tail(10).unwrap();
    assert_eq!(all.len(), 2, "one for each request: {all:?}");
}
