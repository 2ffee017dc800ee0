//! The product over its own endpoint: real policies, real stores, real keys.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::{
    auth::Principal,
    domain::{limits::Rate, pack::Pack, tenant::TenantLabel},
    mcp::{
        handler::MemoryHandlers,
        testing::{World, json as read, list, stateless},
    },
};

impl World<MemoryHandlers> {
    async fn answer(&self, who: &Principal, request: Request<Body>) -> Value {
        let response = self.send(who, request).await;
        assert_eq!(response.status(), 200);
        read(response).await
    }

    /// Calls a tool; its result.
    async fn tool(&self, who: &Principal, name: &str, arguments: Value) -> Value {
        let call = stateless("tools/call", json!({"name": name, "arguments": arguments}));
        self.answer(who, call).await["result"].take()
    }

    async fn uri(&self, who: &Principal, uri: &str) -> Value {
        let mut request = stateless("resources/read", json!({ "uri": uri }));
        request.headers_mut().insert("mcp-name", uri.parse().unwrap());
        self.answer(who, request).await
    }

    /// Stores a note; its id.
    async fn note(&self, who: &Principal, content: &str) -> String {
        let stored =
            self.tool(who, "store_memory", json!({"content": content, "tags": ["t"]})).await;
        assert_eq!(stored["isError"], false, "{stored}");
        stored["structuredContent"]["memory_id"].as_str().unwrap().to_owned()
    }
}

fn said(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}

/// The same sentence, whatever was asked for and whichever request it was.
fn same(one: &Value, other: &Value) {
    assert_eq!(one["isError"], true, "{one}");
    assert_eq!(one, other);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_private_and_always_the_same() {
    let world = World::product(|_| {});
    let alice = world.auth.agent("alice").await;
    let first = world.answer(&alice, list()).await;
    assert_eq!(first, world.answer(&alice, list()).await);
    let result = &first["result"];
    assert_eq!(
        (&result["cacheScope"], &result["resultType"]),
        (&json!("private"), &json!("complete"))
    );
    let names: Vec<_> =
        result["tools"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert!(names.starts_with(&["store_memory", "retrieve_memories"]) && !names.contains(&"echo"));
    assert!(!names.contains(&"list_users"));
    for tool in result["tools"].as_array().unwrap() {
        assert!(tool["inputSchema"]["properties"].get("user_id").is_none(), "{}", tool["name"]);
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{}", tool["name"]);
        assert!(tool["outputSchema"].is_object() && tool["annotations"]["title"].is_string());
    }

    for method in ["server/discover", "resources/list", "resources/templates/list", "prompts/list"]
    {
        let answer = world.answer(&alice, stateless(method, json!({}))).await;
        assert_eq!(answer["result"]["cacheScope"], "private", "{method}");
    }
    let discovered = world.answer(&alice, stateless("server/discover", json!({}))).await;
    let capabilities = &discovered["result"]["capabilities"];
    for absent in ["logging", "experimental", "extensions"] {
        assert!(capabilities.get(absent).is_none(), "{capabilities}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_sees_its_packs_and_no_other_tool_is_there() {
    let world = World::product(|_| {});
    let mut new = world.auth.agent_key("alice");
    new.packs = Some([Pack::Demo].into_iter().collect());
    let demo = world.auth.principal(new).await;
    assert_eq!(said(&world.tool(&demo, "echo", json!({"text": "hi"})).await), "hi");
    for name in ["store_memory", "no_such_tool"] {
        let call = stateless("tools/call", json!({"name": name, "arguments": {"content": "x"}}));
        let answer = world.answer(&demo, call).await;
        assert_eq!(answer["error"]["code"], -32602, "{name}");
        assert_eq!(answer["error"]["message"], "no such tool");
    }
    let prompts = world.answer(&demo, stateless("prompts/list", json!({}))).await;
    assert_eq!(prompts["result"]["prompts"], json!([]));
    let prompt = json!({"name": "retrieve_memory_prompt"});
    let mut messages = Vec::new();
    for who in [&demo, &world.auth.agent("alice").await] {
        let answer = world.answer(who, stateless("prompts/get", prompt.clone())).await;
        messages.push(answer["error"]["message"].clone());
    }
    assert_eq!(messages, [json!("no such prompt"), Value::Null]);
    // A tool for keys that may act for others is not there for one that may not.
    let users = stateless("tools/call", json!({"name": "list_users"}));
    let answer = world.answer(&world.auth.agent("alice").await, users).await;
    assert_eq!(answer["error"]["message"], "no such tool");
}

#[tokio::test(flavor = "multi_thread")]
async fn i4_anothers_memory_is_an_unknown_one() {
    let world = World::product(|_| {});
    let (alice, bob) = (world.auth.agent("alice").await, world.auth.agent("bob").await);
    let id = world.note(&alice, "canary").await;
    let unknown = id.replace(&id[..8], "19990101");
    for tool in ["get_memory_content", "delete_memory"] {
        let foreign = world.tool(&bob, tool, json!({"memory_id": id})).await;
        let none = world.tool(&bob, tool, json!({"memory_id": unknown})).await;
        assert_eq!(foreign["structuredContent"]["error"]["code"], "not_found", "{foreign}");
        same(&foreign, &none);
    }
    let foreign = world.uri(&bob, &format!("memory://{id}")).await;
    let none = world.uri(&bob, &format!("memory://{unknown}")).await;
    assert_eq!(foreign["error"]["code"], -32602);
    assert_eq!(foreign["error"]["message"], none["error"]["message"]);
    assert_eq!(foreign["error"]["data"]["uri"], format!("memory://{id}"));
    for answer in [&foreign, &none] {
        let names: Vec<_> = answer["error"]["data"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["request_id", "uri"], "{answer}");
    }

    let own = world.uri(&alice, &format!("memory://{id}")).await;
    assert_eq!(own["result"]["contents"][0]["text"], "canary");
    assert_eq!(own["result"]["cacheScope"], "private");
    let found = world.tool(&bob, "retrieve_memories", json!({"query": "canary"})).await;
    assert!(!found.to_string().contains(&id), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn i4_a_foreign_user_id_is_an_unknown_one() {
    let world = World::product(|_| {});
    let (alice, _bob) = (world.auth.agent("alice").await, world.auth.agent("bob").await);
    let ask = |user: Value| world.tool(&alice, "get_user_profile", json!({ "user_id": user }));
    let foreign = ask(json!("bob")).await;
    for other in [json!("nobody"), json!("../bob"), json!("*"), json!(["bob"]), json!(7), json!("")]
    {
        same(&foreign, &ask(other).await);
    }
    assert_eq!(foreign["structuredContent"]["error"]["code"], "forbidden");
    assert_eq!(ask(json!("alice")).await["isError"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_act_for_the_tenants_in_its_record() {
    let world = World::product(|_| {});
    let bob = world.auth.agent("bob").await;
    let mut new = world.auth.agent_key("alice");
    new.act_as = vec![TenantLabel::parse("bob").unwrap(), TenantLabel::parse("gone").unwrap()];
    let alice = world.auth.principal(new).await;
    world.note(&bob, "bobs canary").await;

    let listed = world.answer(&alice, list()).await["result"]["tools"].to_string();
    assert!(listed.contains("list_users") && listed.contains("The tenant to act for"));
    let asked = json!({"query": "canary", "user_id": "bob"});
    assert!(said(&world.tool(&alice, "retrieve_memories", asked).await).contains("bobs canary"));
    let asked = json!({"query": "canary"});
    assert!(!said(&world.tool(&alice, "retrieve_memories", asked).await).contains("bobs canary"));
    let users = world.tool(&alice, "list_users", json!({})).await;
    assert_eq!(users["isError"], false, "{users}");
    assert!(said(&users).contains("bob") && !said(&users).contains("gone"));
    for user in ["gone", "carol"] {
        let asked = json!({"query": "canary", "user_id": user});
        assert_eq!(world.tool(&alice, "retrieve_memories", asked).await["isError"], true, "{user}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_declared_is_refused_by_name() {
    let world = World::product(|_| {});
    let alice = world.auth.agent("alice").await;
    let refused =
        world.tool(&alice, "store_memory", json!({"content": "x", "tenant": "bob"})).await;
    assert_eq!(refused["isError"], true);
    assert!(
        said(&refused).contains("`tenant`") && said(&refused).contains("(request r1)"),
        "{refused}"
    );
    let records = world.means.ledger.list();
    assert_eq!((records[0].calls, records[0].errors), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_calls_have_a_limit_of_their_own() {
    let world =
        World::product(|settings| settings.limits.tool_calls_per_key = Some(Rate::new(1, 60)));
    let alice = world.auth.agent("alice").await;
    world.note(&alice, "one").await;
    let arguments = json!({"name": "store_memory", "arguments": {"content": "two"}});
    let refused = world.send(&alice, stateless("tools/call", arguments)).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (429, &"60".parse().unwrap())
    );
    assert_eq!(refused.headers()["ratelimit"], "\"tool-calls\";r=0;t=60");
    let refused = read(refused).await;
    assert!(refused["error"]["message"].as_str().unwrap().contains("retry in 60 s"), "{refused}");
    assert!(refused["id"].is_i64(), "a client can tell which call it was: {refused}");
    // What is no tool call goes on.
    world.answer(&alice, list()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i8_a_cursor_belongs_to_one_key() {
    let world = World::product(|_| {});
    let alice = world.auth.agent("alice").await;
    let second = world.auth.agent("alice").await;
    for n in 0..=crate::tools::resources::PAGE_SIZE {
        world.note(&alice, &format!("note {n}")).await;
    }
    let page = |cursor: Value| stateless("resources/list", json!({ "cursor": cursor }));
    let first = world.answer(&alice, stateless("resources/list", json!({}))).await;
    let cursor = first["result"]["nextCursor"].clone();
    let next = world.answer(&alice, page(cursor.clone())).await;
    assert_eq!(next["result"]["resources"].as_array().unwrap().len(), 1, "{next}");

    let foreign = world.answer(&second, page(cursor.clone())).await["error"].take();
    let changed = json!(cursor.as_str().unwrap().replace('A', "B"));
    for other in [json!("x"), json!(""), changed] {
        assert_eq!(world.answer(&second, page(other)).await["error"], foreign);
    }
    assert_eq!(foreign["code"], -32602);
    // Lists of one page give out no cursor, so they take none either.
    for method in ["tools/list", "resources/templates/list", "prompts/list"] {
        let answer = world.answer(&alice, stateless(method, json!({ "cursor": cursor }))).await;
        assert_eq!(answer["error"], foreign, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_do_not_fit_are_not_a_missing_method() {
    let world = World::product(|_| {});
    let alice = world.auth.agent("alice").await;
    let answer = world.answer(&alice, stateless("tools/call", json!({"arguments": {}}))).await;
    assert_eq!(answer["error"]["code"], -32602);
    let typed = json!({"ref": {"type": "ref/prompt", "name": "retrieve_memory_prompt"},
        "argument": {"name": "time_filter", "value": "last"}});
    let answer = world.answer(&alice, stateless("completion/complete", typed)).await;
    assert_eq!(answer["result"]["completion"]["values"], json!(["last_week", "last_month"]));
}
