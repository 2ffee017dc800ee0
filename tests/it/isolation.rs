//! Two tenants on one server: nothing that a caller can write moves it into the other's memory.

use serde_json::{Value, json};

use crate::world::{Answer, Caller, LegacySession, World};

/// Text that only `acme` may ever read.
const CANARY: &str = "canary-7f3a the vault code is 4711";

/// What `caller` finds of the canary.
fn finds(caller: &Caller) -> bool {
    ["retrieve_memories", "retrieve_memory"].iter().any(|tool| {
        caller.tool(tool, json!({"query": "vault code"})).http.body.contains("canary-7f3a")
    })
}

#[test]
fn i1_a_header_a_url_or_a_session_names_no_tenant() {
    let world = World::start();
    world.acme().store(CANARY);
    let session = world.acme().session();
    assert!(finds(&world.acme()));
    let globex = world.globex();
    for (name, value) in [
        ("x-user-id", "acme"),
        ("x-tenant", "acme"),
        ("x-tenant-id", "acme"),
        ("x-memgate-tenant", "acme"),
        ("x-session-id", "acme"),
        ("x-forwarded-user", "acme"),
        ("cookie", "tenant=acme"),
        ("mcp-session-id", session.id.as_str()),
    ] {
        assert!(!finds(&globex.with(name, value)), "{name}: {value}");
    }
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
    for target in ["/mcp/acme", "/acme/mcp", "/mcp/../acme"] {
        assert_eq!(globex.post(target, &body).status, 404, "{target}");
    }
}

#[test]
fn i1_no_argument_names_a_tenant() {
    let world = World::start();
    world.acme().store(CANARY);
    for argument in ["user_id", "tenant", "namespace", "tenant_id", "group_id"] {
        for value in [json!("acme"), json!("../acme"), json!(["acme"]), json!("*")] {
            let mut arguments = json!({"query": "vault code"});
            arguments[argument] = value.clone();
            let answer = world.globex().tool("retrieve_memories", arguments);
            assert!(answer.is_error(), "{argument} = {value}: {:?}", answer.http);
            assert!(!answer.http.body.contains("canary-7f3a"));
        }
    }
    let meta = json!({"name": "retrieve_memories", "arguments": {"query": "vault code"},
        "tenant": "acme"});
    assert!(!world.globex().rpc("tools/call", meta).http.body.contains("canary-7f3a"));
}

#[test]
fn i1_the_own_name_as_user_id_is_fine() {
    let world = World::start();
    world.acme().store(CANARY);
    let answer =
        world.acme().tool("retrieve_memories", json!({"query": "vault", "user_id": "acme"}));
    assert!(!answer.is_error() && answer.text().contains("canary-7f3a"), "{:?}", answer.http);
}

#[test]
fn i4_a_foreign_memory_and_a_missing_one_read_the_same() {
    let world = World::start();
    let foreign = world.acme().store(CANARY);
    let missing = foreign.replace(char::is_numeric, "1");
    let globex = world.globex();
    let same = |foreign_answer: Answer, missing_answer: Answer, what: &str| {
        let plain = |answer: Answer, id: &str| {
            let mut value = answer.value.to_string().replace(id, "<id>");
            // Each answer has a request id of its own.
            if let Some(request) = answer.http.header("x-request-id") {
                value = value.replace(request, "<request>");
            }
            (answer.http.status, value)
        };
        assert_eq!(plain(foreign_answer, &foreign), plain(missing_answer, &missing), "{what}");
    };
    for (tool, more) in [
        ("get_memory_content", json!({})),
        ("update_memory", json!({"content": "mine now"})),
        ("delete_memory", json!({})),
    ] {
        let call = |id: &str| {
            let mut arguments = more.clone();
            arguments["memory_id"] = json!(id);
            globex.tool(tool, arguments)
        };
        let (one, other) = (call(&foreign), call(&missing));
        assert!(one.is_error(), "{:?}", one.http);
        same(one, other, tool);
    }
    let read = |id: &str| globex.rpc("resources/read", json!({"uri": format!("memory://{id}")}));
    assert_eq!(read(&foreign).code(), Some(-32602));
    same(read(&foreign), read(&missing), "resources/read");
    assert!(finds(&world.acme()), "nothing was changed or deleted");
}

#[test]
fn i4_completion_and_counts_know_one_tenant_only() {
    let world = World::start();
    let tagged = json!({"content": CANARY, "tags": "project-zeus"});
    assert!(!world.acme().tool("store_memory", tagged).is_error());
    let complete = |caller: &Caller| {
        caller
            .rpc(
                "completion/complete",
                json!({"ref": {"type": "ref/prompt", "name": "retrieve_memory_prompt"},
                    "argument": {"name": "tag_filter", "value": "project"}}),
            )
            .http
            .body
    };
    assert!(!complete(&world.globex()).contains("zeus"));
    let stats = world.globex().tool("get_user_stats", json!({}));
    assert!(!stats.is_error() && !stats.http.body.contains("zeus"), "{:?}", stats.http);
    let users = world.globex().tool("list_users", json!({}));
    assert!(!users.http.body.contains("acme"), "{:?}", users.http);
}

#[test]
fn i8_a_foreign_session_is_unknown() {
    let world = World::start();
    let session = world.acme().session();
    let unknown = session.with_id("11111111-1111-4111-8111-111111111111");
    let second = world.second_of_acme();
    for (who, stranger) in [("globex", world.globex()), ("second key", second.caller)] {
        for method in ["POST", "GET", "DELETE"] {
            let ask = |session: &LegacySession| {
                let caller = session.used_by(&stranger);
                let body = (method == "POST").then(|| {
                    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string()
                });
                let accept = if method == "GET" {
                    "text/event-stream"
                } else {
                    "application/json, text/event-stream"
                };
                let answer = caller.instead("accept", accept).send(method, "/mcp", body);
                (answer.status, answer.body)
            };
            let (foreign, missing) = (ask(&session), ask(&unknown));
            assert_eq!(foreign, missing, "{who} {method}");
            assert_eq!(foreign.0, 404, "{who} {method}: {foreign:?}");
        }
    }
    let mine = session.rpc("tools/list", Value::Object(serde_json::Map::default()));
    assert!(mine.value["result"]["tools"].is_array(), "the owner's session lives on: {mine:?}");
}

#[test]
fn i8_a_cursor_works_for_its_own_principal_only() {
    let world = World::start();
    for n in 0..6 {
        world.acme().store(&format!("note {n} of acme"));
        world.globex().store(&format!("note {n} of globex"));
    }
    let page = world.acme().rpc("resources/list", json!({}));
    let Some(cursor) = page.value["result"]["nextCursor"].as_str() else {
        // Everything fitted on one page: then there is no cursor to steal.
        return;
    };
    let stolen = world.globex().rpc("resources/list", json!({"cursor": cursor}));
    assert_eq!(stolen.code(), Some(-32602), "{:?}", stolen.http);
}

#[test]
fn i11_a_damaged_store_breaks_its_own_tenant_only() {
    let mut world = World::start();
    world.acme().store("mine");
    world.globex().store("theirs");
    let tenants = world.operator().get("/admin/tenants").json();
    let id = |label: &str| {
        let all = tenants["tenants"].as_array().expect("a list of tenants");
        let found = all.iter().find(|t| t["label"] == label).expect("the tenant");
        found["id"].as_str().expect("an id").to_owned()
    };
    let database = world.data().join("tenants").join(id("globex")).join("memory.db");
    // An orderly end: no write-ahead log is left that would rightly be played back into the file.
    world.process().terminate();
    world.process().ended();
    std::fs::write(&database, [0x5a; 8192]).unwrap();
    world.restart();
    assert!(!world.acme().tool("get_user_stats", json!({})).is_error());
    let broken = world.globex().tool("retrieve_memories", json!({"query": "theirs"}));
    assert_eq!(broken.http.status, 503, "{:?}", broken.http);
    assert!(broken.http.header("retry-after").is_some(), "{:?}", broken.http);
    assert!(std::fs::read(&database).unwrap() == [0x5a; 8192], "kept as it is, never replaced");
    let stats = world.operator().get("/admin/stats").json();
    assert_eq!((&stats["store_failures"], &stats["ready"]), (&json!(1), &json!(true)));
}
