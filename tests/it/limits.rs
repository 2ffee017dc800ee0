//! How much one key may do, and that nobody else pays for it.

use serde_json::json;

use crate::world::{
    World,
    wire::{self, Response},
};

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

/// Every refusal by a limit has three fields that agree with each other.
fn assert_numbers(refused: &Response, name: &str, size: &str) {
    assert_eq!(refused.status, 429, "{refused:?}");
    let policy = format!("\"{name}\";{size}");
    assert_eq!(refused.header("ratelimit-policy"), Some(policy.as_str()), "{refused:?}");
    let wait = refused.header("retry-after").expect("Retry-After");
    let state = format!("\"{name}\";r=0;t={wait}");
    assert_eq!(refused.header("ratelimit"), Some(state.as_str()), "{refused:?}");
    assert!((1..=3600).contains(&wait.parse::<u64>().unwrap()), "{wait}");
    assert!(refused.body.contains("retry"), "an agent can read it: {}", refused.body);
}

#[test]
fn every_limit_says_its_numbers() {
    let world = World::with(&[
        ("MEMGATE_LIMITS__FAILURES", "2/60s"),
        ("MEMGATE_LIMITS__TOOL_CALLS_PER_KEY", "1/60s"),
        ("MEMGATE_LIMITS__CONCURRENCY_PER_TENANT", "1"),
        ("MEMGATE_LIMITS__STREAMS_PER_TENANT", "1"),
        ("MEMGATE_LIMITS__SESSIONS_PER_TENANT", "2"),
        ("MEMGATE_LIMITS__SESSIONS", "3"),
    ]);
    let (acme, globex) = (world.acme(), world.globex());

    let bad = world.bearer("not-a-key-at-all-0123456789");
    for _ in 0..2 {
        assert_eq!(bad.get("/admin/stats").status, 401);
    }
    assert_numbers(&bad.get("/admin/stats"), "failures", "q=2;w=60");

    assert_eq!(acme.tool("get_user_stats", json!({})).http.status, 200);
    assert_numbers(&acme.tool("get_user_stats", json!({})).http, "tool-calls", "q=1;w=60");

    let sessions = [acme.session(), acme.session()];
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "greedy", "version": "1"}}});
    let open = |caller: &crate::world::Caller| {
        caller.with("accept", "application/json, text/event-stream").post("/mcp", &hello)
    };
    let at_once = |size: u32| format!("q={size};qu=\"concurrent-requests\"");
    assert_numbers(&open(&acme), "sessions", &at_once(2));
    let _third = globex.session();
    assert_numbers(&open(&globex), "all-sessions", &at_once(3));

    let _stream = sessions[0].stream();
    let second = sessions[1].caller().instead("accept", "text/event-stream").get("/mcp");
    assert_numbers(&second, "streams", &at_once(1));

    // A request whose body does not come is under way: the server has asked for the body.
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Length: 9\r\n\
         Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
         Expect: 100-continue\r\n\r\n",
        world.address(),
        World::secrets()[1],
    );
    let mut waiting = wire::connect(world.address(), head.as_bytes()).unwrap();
    assert_eq!(wire::read_head(&mut waiting).unwrap().status, 100);
    let refused = globex.rpc("tools/list", json!({})).http;
    assert_numbers(&refused, "requests-at-once", &at_once(1));
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
