//! What the systems before this one promised and did not do, each as a test of ours.
//!
//! `v01` to `v18` follow the list of their claims and what their code really did. A claim that is
//! proved in full elsewhere is proved here in its own words, in short.

use std::{collections::BTreeSet, sync::Barrier, thread};

use serde_json::{Value, json};

use crate::world::{LegacySession, World};

/// "Each key gets its own instance": a valid key and `X-User-ID` opened any tenant.
#[test]
fn v01_a_user_id_header_opens_nothing() {
    let world = World::start();
    world.acme().store("acme only: blue heron");
    let spoof = world.globex().with("x-user-id", "acme");
    assert!(!spoof.tool("retrieve_memories", json!({"query": "heron"})).http.body.contains("blue"));
    spoof.store("globex wrote this heron");
    let mine = world.acme().tool("retrieve_memories", json!({"query": "heron"}));
    assert!(!mine.http.body.contains("globex wrote"), "{:?}", mine.http);
}

/// "Session isolation": one process-wide current user, so requests at once mixed tenants.
#[test]
fn v02_requests_at_once_never_mix_tenants() {
    let world = World::start();
    world.acme().store("owner is acme-7731");
    world.globex().store("owner is globex-7731");
    let (callers, rounds) = (8, 25);
    let start = Barrier::new(callers);
    thread::scope(|scope| {
        for n in 0..callers {
            let (start, world) = (&start, &world);
            scope.spawn(move || {
                let (own, other) = if n % 2 == 0 { ("acme", "globex") } else { ("globex", "acme") };
                let caller = if n % 2 == 0 { world.acme() } else { world.globex() };
                start.wait();
                for _ in 0..rounds {
                    let text =
                        caller.tool("retrieve_memories", json!({"query": "owner"})).http.body;
                    assert!(text.contains(&format!("{own}-7731")), "{text}");
                    assert!(!text.contains(&format!("{other}-7731")), "{text}");
                }
            });
        }
    });
}

/// The client chose its session id, and the last caller owned it.
#[test]
fn v03_a_client_cannot_choose_or_take_a_session() {
    let world = World::start();
    let chosen = world.acme().with("x-session-id", "mine").with("mcp-session-id", "mine");
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "x", "version": "1"}}});
    let answer = chosen.with("accept", "application/json, text/event-stream").post("/mcp", &hello);
    assert_ne!(answer.header("mcp-session-id"), Some("mine"), "{answer:?}");
    let session = world.acme().session();
    let taken = LegacySession::rpc_by(&session.used_by(&world.globex()), "tools/list", json!({}));
    assert_eq!(taken.http.status, 404);
    assert_eq!(session.rpc("tools/list", json!({})).http.status, 200, "still its owner's");
}

/// Any key opened `/admin`, and session ids held part of a key.
#[test]
fn v04_agents_see_no_administration_and_no_list_holds_a_key() {
    let world = World::start();
    world.acme().session();
    for target in ["/admin/sessions", "/admin/stats", "/admin/keys", "/admin/tenants"] {
        assert_eq!(world.acme().get(target).status, 403, "{target}");
        assert_eq!(world.anonymous().get(target).status, 401, "{target}");
        let body = world.operator().get(target).body;
        for secret in World::secrets() {
            assert!(!body.contains(&secret[..8]), "{target}: {body}");
        }
    }
}

/// Any key deleted any session, sessions never ended, and each request made another.
#[test]
fn v05_a_session_is_ended_by_its_owner_and_none_is_made_by_the_way() {
    let world = World::start();
    let session = world.acme().session();
    session.used_by(&world.globex()).delete("/mcp");
    assert_eq!(session.rpc("tools/list", json!({})).http.status, 200);
    for _ in 0..10 {
        world.acme().rpc("tools/list", json!({}));
    }
    let list = world.operator().get("/admin/sessions").json();
    assert_eq!(list["active_sessions"], 2, "one session, one stateless caller: {list}");
}

/// The rate limit went by the first `X-Forwarded-For`, which the caller writes.
#[test]
fn v06_a_forwarding_header_from_outside_counts_for_nothing() {
    let world = World::with(&[("RATE_LIMIT_REQUESTS", "3"), ("RATE_LIMIT_WINDOW", "3600")]);
    let statuses: Vec<u16> = (0..4)
        .map(|n| {
            let caller = world.acme().with("x-forwarded-for", &format!("198.51.100.{n}, 10.0.0.1"));
            caller.rpc("tools/list", json!({})).http.status
        })
        .collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    let address = &world.operator().get("/admin/sessions").json()["sessions"][0]["address"];
    assert_eq!(address, "127.0.0.1", "the peer's own address is shown");
}

/// HSTS was sent on plain HTTP only.
#[test]
fn v07_hsts_is_sent_where_the_proxy_ended_tls_and_nowhere_else() {
    let behind = World::with(&[
        ("MEMGATE_LISTEN__BEHIND_PROXY", "true"),
        ("MEMGATE_LISTEN__TRUSTED_PROXIES", "127.0.0.1/32"),
    ]);
    let https = behind.anonymous().with("x-forwarded-proto", "https").get("/healthz");
    let hsts = https.header("strict-transport-security").expect("HSTS on https");
    assert!(hsts.starts_with("max-age="), "{hsts}");
    let http = behind.anonymous().with("x-forwarded-proto", "http").get("/healthz");
    assert_eq!(http.header("strict-transport-security"), None);
    let direct = World::start();
    let spoofed = direct.anonymous().with("x-forwarded-proto", "https").get("/healthz");
    assert_eq!(spoofed.header("strict-transport-security"), None, "not from a trusted proxy");
}

/// `REQUIRE_HTTPS` did nothing.
#[test]
fn v08_require_https_refuses_plain_http() {
    let world = World::with(&[("REQUIRE_HTTPS", "true")]);
    let redirect = world.anonymous().get("/admin/stats");
    assert_eq!(redirect.status, 308, "{redirect:?}");
    assert!(redirect.header("location").is_some_and(|l| l.starts_with("https://")));
    assert_eq!(world.acme().post("/mcp", &json!({})).status, 403);
}

/// CORS said `*` and allowed credentials.
#[test]
fn v09_cors_is_closed_by_default_and_never_takes_credentials() {
    let world = World::start();
    let answer = world
        .anonymous()
        .with("origin", "https://evil.example")
        .with("access-control-request-method", "POST")
        .send("OPTIONS", "/mcp", None);
    for (name, _) in &answer.headers {
        assert!(!name.starts_with("access-control-allow"), "{answer:?}");
    }
}

/// Errors told their exception, health told the settings.
#[test]
fn v10_errors_and_health_tell_nothing_of_the_inside() {
    let world = World::start();
    assert_eq!(world.anonymous().get("/health").body, r#"{"status":"ok"}"#);
    assert_eq!(world.anonymous().get("/").body, r#"{"status":"ok"}"#);
    for body in ["", "{", "[]", "nonsense", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}"] {
        let answer = world.acme().with("accept", "application/json, text/event-stream").send(
            "POST",
            "/mcp",
            Some(body.to_owned()),
        );
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        for inside in ["line 1", "column", "expected", "serde", "rusqlite", "src/", "panicked"] {
            assert!(!answer.body.contains(inside), "{body}: {}", answer.body);
        }
    }
}

/// Keys stood in the log, and a default key in the documentation worked.
#[test]
fn v11_no_key_is_logged_stored_or_known_beforehand() {
    let world = World::start();
    let made = world.second_of_acme();
    made.caller.store("x");
    world.bearer(&made.secret.to_uppercase()).rpc("tools/list", json!({}));
    let secrets: Vec<&str> =
        World::secrets().into_iter().chain([made.secret.as_str(), &made.secret[16..59]]).collect();
    let log = world.log();
    for secret in &secrets {
        assert!(!log.contains(secret), "in the log");
    }
    for entry in std::fs::read_dir(world.data()).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            for secret in &secrets {
                let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
                assert!(!found, "in {:?}", entry.path());
            }
        }
    }
    for known in ["memgate", "changeme", "default", "test-key", "your-api-key-here", "admin123"] {
        assert_eq!(world.bearer(known).rpc("tools/list", json!({})).http.status, 401);
    }
}

/// A tenant's name was a path.
#[test]
fn v12_a_tenant_name_is_never_a_path() {
    let world = World::start();
    for name in ["../../escape", "a/b", "..", "/etc", "a\\b", "a%2fb", "A", ""] {
        let answer = world.operator().post("/admin/tenants", &json!({"label": name}));
        assert!([400, 422].contains(&answer.status), "{name}: {answer:?}");
    }
    world.acme().store("x");
    let names: Vec<String> = std::fs::read_dir(world.data().join("tenants"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        !names.is_empty() && names.iter().all(|n| n.starts_with("t_") && n.len() == 22),
        "{names:?}"
    );
}

/// Memories went to a new random place at each start.
#[test]
fn v13_memories_are_where_they_were_after_a_restart() {
    let mut world = World::start();
    world.acme().store("stays put");
    world.restart();
    let found = world.acme().tool("retrieve_memories", json!({"query": "stays"}));
    assert!(found.text().contains("stays put"), "{:?}", found.http);
}

/// `user_id` was an argument and opened whom it named.
#[test]
fn v14_a_user_id_argument_opens_nobody_else() {
    let world = World::start();
    world
        .acme()
        .tool("add_memory", json!({"user_input": "my pin", "agent_response": "noted 8812"}));
    for tool in ["get_user_profile", "retrieve_memory"] {
        let mut arguments = json!({"user_id": "acme"});
        if tool == "retrieve_memory" {
            arguments["query"] = json!("pin");
        }
        let answer = world.globex().tool(tool, arguments);
        assert!(answer.is_error() && !answer.http.body.contains("8812"), "{:?}", answer.http);
    }
}

/// A memory's id was joined to a path: `../bob/x` read and deleted.
#[test]
fn v15_a_memory_id_is_never_a_path() {
    let world = World::start();
    let id = world.acme().store("still here");
    for bad in [
        format!("../acme/{id}"),
        format!("../../tenants/{id}"),
        "/etc/passwd".to_owned(),
        format!("{id}\u{0}"),
        format!("./{id}"),
        "..".to_owned(),
    ] {
        for tool in ["get_memory_content", "delete_memory"] {
            for caller in [world.acme(), world.globex()] {
                let answer = caller.tool(tool, json!({"memory_id": bad}));
                assert!(answer.is_error(), "{tool} {bad:?}: {:?}", answer.http);
                assert!(!answer.http.body.contains("root:"), "{:?}", answer.http);
            }
        }
    }
    assert!(!world.acme().tool("get_memory_content", json!({"memory_id": id})).is_error());
}

/// Two memories of one name in one second: the second overwrote the first.
#[test]
fn v16_memories_of_one_second_never_overwrite_each_other() {
    let world = World::start();
    let ids: BTreeSet<String> = (0..20)
        .map(|n| {
            let arguments = json!({"content": format!("text {n}"), "filename": "same.txt"});
            let answer = world.acme().tool("store_memory", arguments);
            let structured = answer.structured();
            structured["memory_id"].as_str().or(structured["id"].as_str()).unwrap().to_owned()
        })
        .collect();
    assert_eq!(ids.len(), 20, "{ids:?}");
    for (n, id) in ids.iter().enumerate().take(3) {
        let read = world.acme().tool("get_memory_content", json!({"memory_id": id}));
        assert!(read.text().contains("text "), "{n}: {:?}", read.http);
    }
}

/// A "workspace" with `..` and a shell for everyone, behind any three-part token.
#[test]
fn v17_there_is_no_shell_and_no_token_by_shape() {
    let world = World::start();
    for tool in ["execute_command", "file_operation", "system_info"] {
        let answer = world.acme().tool(tool, json!({}));
        assert_eq!(answer.code(), Some(-32602), "{tool}: {:?}", answer.http);
    }
    let three_parts = world.bearer("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhY21lIn0.");
    assert_eq!(three_parts.rpc("tools/list", json!({})).http.status, 401);
}

/// One `initialized` flag served all clients.
#[test]
fn v18_one_clients_handshake_says_nothing_of_anothers() {
    let world = World::start();
    let ready = world.acme().session();
    let bare = world
        .globex()
        .with("accept", "application/json, text/event-stream")
        .with("mcp-protocol-version", "2025-11-25")
        .post("/mcp", &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}));
    assert_eq!(bare.status, 400, "no session of its own: {bare:?}");
    let list = |value: &Value| value["result"]["tools"].is_array();
    assert!(list(&ready.rpc("tools/list", json!({})).value));
    assert!(
        list(&world.globex().rpc("tools/list", json!({})).value),
        "nor does the other era need one"
    );
}
