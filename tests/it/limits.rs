//! How much one key may do, and that nobody else pays for it.

use serde_json::json;

use crate::world::World;

#[test]
fn the_101st_request_in_a_window_of_100_is_refused_and_nobody_else_notices() {
    let world = World::with(&[("RATE_LIMIT_REQUESTS", "100"), ("RATE_LIMIT_WINDOW", "3600")]);
    let acme = world.acme();
    for n in 1..=100 {
        let answer = acme.rpc("tools/list", json!({}));
        assert_eq!(answer.http.status, 200, "request {n}: {:?}", answer.http);
    }
    let refused = acme.rpc("tools/list", json!({})).http;
    assert_eq!(refused.status, 429, "{refused:?}");
    let wait: u64 = refused.header("retry-after").expect("Retry-After").parse().unwrap();
    assert!((1..=3600).contains(&wait), "{wait}");
    let policy = refused.header("ratelimit-policy").expect("RateLimit-Policy");
    assert!(policy.contains("q=100") && policy.contains("w=3600"), "{policy}");
    assert!(refused.header("ratelimit").expect("RateLimit").contains("r=0"));
    assert!(refused.body.contains("retry in"), "an agent can read it: {}", refused.body);
    assert_eq!(world.globex().rpc("tools/list", json!({})).http.status, 200);
    assert_eq!(world.operator().get("/admin/stats").status, 200);
    assert_eq!(world.anonymous().get("/healthz").status, 200);
}

#[test]
fn a_spoofed_forwarding_header_gives_no_fresh_budget() {
    let world = World::with(&[("RATE_LIMIT_REQUESTS", "5"), ("RATE_LIMIT_WINDOW", "3600")]);
    let statuses: Vec<u16> = (0..8)
        .map(|n| {
            let caller = world.acme().with("x-forwarded-for", &format!("203.0.113.{n}"));
            caller.rpc("tools/list", json!({})).http.status
        })
        .collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429, 429]);
}

#[test]
fn sessions_of_one_tenant_are_capped() {
    let world = World::with(&[("MEMGATE_LIMITS__SESSIONS_PER_TENANT", "3")]);
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "greedy", "version": "1"}}});
    let open = |caller: crate::world::Caller| {
        caller.with("accept", "application/json, text/event-stream").post("/mcp", &hello)
    };
    for n in 1..=3 {
        assert_eq!(open(world.acme()).status, 200, "session {n}");
    }
    let refused = open(world.acme());
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert_eq!(open(world.globex()).status, 200);
}

#[test]
fn sizes_have_ends() {
    let world = World::start();
    let acme = world.acme();
    let long = "x".repeat(2 * 1024 * 1024);
    let answer = acme.tool("store_memory", json!({"content": long}));
    assert_eq!(answer.http.status, 413, "{:?}", answer.http.headers);
    let answer = acme.tool("store_memory", json!({"content": "x".repeat(300 * 1024)}));
    assert!(answer.is_error(), "over `max_memory_bytes`");
    assert_eq!(acme.with("x-filler", &"x".repeat(64 * 1024)).get("/healthz").status, 431);
    assert_eq!(acme.get(&format!("/healthz?{}", "x".repeat(9 * 1024))).status, 414);
}
