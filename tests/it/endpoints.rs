//! Every route, called by every persona: a route without expectations fails here.
//!
//! The table of routes is data of the program, the table below is ours; they must name the same
//! rows, so that nobody adds a way in without saying who may take it.

use std::collections::BTreeSet;

use memgate::http::routes::TABLE;
use serde_json::json;

use crate::world::{Caller, World};

/// Statuses for: nobody, a bad key, an agent of `acme`, an agent of `globex`, an operator.
type Statuses = [u16; 5];

const ANYONE: Statuses = [200; 5];

/// Method, path in the table, target and body that are sent, what each persona gets.
const EXPECTED: &[(&str, &str, &str, Option<&str>, Statuses)] = &[
    ("GET", "/", "/", None, ANYONE),
    ("GET", "/health", "/health", None, ANYONE),
    ("GET", "/healthz", "/healthz", None, ANYONE),
    ("GET", "/readyz", "/readyz", None, ANYONE),
    // Without an issuer nobody needs a token, and nothing is said of one.
    ("GET", METADATA, METADATA, None, [404; 5]),
    ("GET", METADATA_OF_MCP, METADATA_OF_MCP, None, [404; 5]),
    ("POST", "/mcp", "/mcp", Some(LIST), [401, 401, 200, 200, 403]),
    // A stream and an end need a session; without one, the stateless revision has neither.
    ("GET", "/mcp", "/mcp", None, [401, 401, 405, 405, 403]),
    ("DELETE", "/mcp", "/mcp", None, [401, 401, 405, 405, 403]),
    ("GET", "/admin/sessions", "/admin/sessions", None, OPERATORS),
    ("GET", "/admin/sessions/{id}", NO_SESSION, None, [401, 401, 403, 403, 404]),
    ("DELETE", "/admin/sessions/{id}", NO_SESSION, None, [401, 401, 403, 403, 404]),
    ("GET", "/admin/stats", "/admin/stats", None, OPERATORS),
    ("GET", "/admin/explain/{request_id}", NO_REFUSAL, None, [401, 401, 403, 403, 404]),
    ("GET", "/admin/audit", "/admin/audit", None, OPERATORS),
    ("GET", "/admin/audit/verify", "/admin/audit/verify", None, OPERATORS),
    ("GET", "/admin/tenants", "/admin/tenants", None, OPERATORS),
    ("POST", "/admin/tenants", "/admin/tenants", Some("{}"), [401, 401, 403, 403, 400]),
    ("GET", "/admin/keys", "/admin/keys", None, OPERATORS),
    ("POST", "/admin/keys", "/admin/keys", Some("[]"), [401, 401, 403, 403, 400]),
    ("GET", "/admin/keys/{id}", "/admin/keys/aaaaaaaaaaaa", None, [401, 401, 403, 403, 404]),
    ("POST", "/admin/keys/{id}/rotate", ROTATE, Some("{}"), [401, 401, 403, 403, 404]),
    ("DELETE", "/admin/keys/{id}", "/admin/keys/aaaaaaaaaaaa", None, [401, 401, 403, 403, 404]),
];

const OPERATORS: Statuses = [401, 401, 403, 403, 200];
const METADATA: &str = "/.well-known/oauth-protected-resource";
const METADATA_OF_MCP: &str = "/.well-known/oauth-protected-resource/mcp";
const ROTATE: &str = "/admin/keys/aaaaaaaaaaaa/rotate";
const NO_SESSION: &str = "/admin/sessions/s_aaaaaaaaaaaaaaaa";
const NO_REFUSAL: &str = "/admin/explain/000000000000000";
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{
    "io.modelcontextprotocol/protocolVersion":"2026-07-28",
    "io.modelcontextprotocol/clientInfo":{"name":"it","version":"1"},
    "io.modelcontextprotocol/clientCapabilities":{}}}}"#;

fn personas(world: &World) -> [Caller; 5] {
    let bad = world.bearer("a-key-that-nobody-ever-made-012345");
    [world.anonymous(), bad, world.acme(), world.globex(), world.operator()]
}

#[test]
fn every_route_has_expectations() {
    let rows: BTreeSet<_> = TABLE.iter().map(|row| (row.method, row.path)).collect();
    let expected: BTreeSet<_> = EXPECTED.iter().map(|row| (row.0, row.1)).collect();
    assert_eq!(rows, expected);
}

#[test]
fn every_route_answers_every_persona_as_expected() {
    let world = World::start();
    let mut wrong = Vec::new();
    for (method, path, target, body, statuses) in EXPECTED {
        for (persona, wanted) in personas(&world).into_iter().zip(statuses) {
            let caller = match *method {
                "POST" if *path == "/mcp" => persona
                    .with("accept", "application/json, text/event-stream")
                    .with("mcp-protocol-version", "2026-07-28")
                    .with("mcp-method", "tools/list"),
                "GET" if *path == "/mcp" => persona
                    .with("accept", "text/event-stream")
                    .with("mcp-protocol-version", "2025-11-25"),
                "DELETE" if *path == "/mcp" => persona.with("mcp-protocol-version", "2025-11-25"),
                _ => persona,
            };
            let answer = caller.send(method, target, body.map(str::to_owned));
            if answer.status != *wanted {
                wrong
                    .push(format!("{method} {target}: {} not {wanted}: {answer:?}", answer.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn i3_what_is_no_route_is_no_way_in() {
    let world = World::start();
    for target in ["/metrics", "/console/", "/sse", "/messages", "/mcp/", "/v1", "/.well-known/x"] {
        for persona in personas(&world) {
            let status = persona.get(target).status;
            assert!([401, 403, 404].contains(&status), "{target}: {status}");
        }
    }
    for target in [
        "/admin%2fstats",
        "/admin/./stats",
        "/ADMIN/stats",
        "/admin//stats",
        "/..%00/admin",
        "/admin/stats/",
        "/admin;/stats",
        "/mcp/../admin/stats",
    ] {
        let status = world.acme().get(target).status;
        assert!([400, 403, 404].contains(&status), "{target}: {status}");
    }
}

#[test]
fn a_wrong_method_says_which_ones_there_are() {
    let world = World::start();
    for (method, target) in [("PUT", "/mcp"), ("TRACE", "/mcp"), ("POST", "/healthz")] {
        let answer = world.acme().send(method, target, None);
        assert_eq!(answer.status, 405, "{method} {target}: {answer:?}");
        assert!(answer.header("allow").is_some(), "{method} {target}: {answer:?}");
    }
}

#[test]
fn both_header_forms_carry_a_key() {
    let world = World::start();
    let list = |caller: Caller| caller.rpc("tools/list", json!({})).http.status;
    let key = World::secrets()[0];
    assert_eq!(list(world.anonymous().with("x-api-key", key)), 200);
    assert_eq!(list(world.anonymous().with("authorization", &format!("bearer {key}"))), 200);
    assert_eq!(list(world.acme().with("x-api-key", key)), 400, "once, not twice");
}
