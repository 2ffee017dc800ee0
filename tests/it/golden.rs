//! Who may call what: every tool, by every kind of key and every set of scopes, as reviewers saw
//! it. A change of this table is a change of what callers may do: read it before it is accepted.

use serde_json::{Value, json};

use crate::{
    oauth::Scene,
    world::{Answer, Caller},
};

/// Sets of scopes, as a token names them.
const SCOPES: [(&str, &str); 8] = [
    ("none", ""),
    ("r", "memgate:read"),
    ("w", "memgate:write"),
    ("d", "memgate:delete"),
    ("rw", "memgate:read memgate:write"),
    ("rd", "memgate:read memgate:delete"),
    ("wd", "memgate:write memgate:delete"),
    ("rwd", "memgate:read memgate:write memgate:delete"),
];

/// Arguments with which a tool does what it is for; `memory` is one that is there.
fn arguments(tool: &str, memory: &str) -> Value {
    match tool {
        "store_memory" => json!({"content": "a note"}),
        "add_memory" => json!({"user_input": "hello", "agent_response": "good day"}),
        "get_memory_content" | "delete_memory" => json!({"memory_id": memory}),
        "update_memory" => json!({"memory_id": memory, "content": "another note"}),
        "retrieve_memory" => json!({"query": "note"}),
        "echo" => json!({"message": "hello"}),
        _ => json!({}),
    }
}

/// What came of a call, in a word.
fn outcome(answer: &Answer) -> &'static str {
    let body = &answer.http.body;
    match answer.http.status {
        200 if answer.code() == Some(-32602) => "hidden",
        200 if !answer.is_error() => "yes",
        200 => "denied",
        403 if body.contains("scope") => "scope",
        403 => "role",
        401 => "nobody",
        _ => "?",
    }
}

/// A name and words under one another.
fn line<'a>(name: &str, words: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<_> = words.map(|word| format!("{word:<11}")).collect();
    format!("{name:<20} {}", cells.join(" ")).trim_end().to_owned()
}

#[test]
fn i3_every_tool_for_every_kind_of_caller_is_as_reviewers_saw_it() {
    let env = [
        ("MEMGATE_MCP__PACKS", "memento,memoryos,demo"),
        ("MEMGATE_AUTH__DELETE_SCOPE", "memgate:delete"),
        ("RATE_LIMIT_REQUESTS", "100000"),
    ];
    let operators = "role_claim = \"roles\"\noperator_values = [\"ops\"]";
    let scene = Scene::with(operators, &env);
    let acme = scene.world.acme();
    let key = |wish: Value| {
        let mut all = json!({"tenant": "acme", "act_as": ["globex"]});
        all.as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
        scene.world.new_key(&all).caller
    };
    let mut callers: Vec<(String, Caller)> = vec![
        ("key".to_owned(), acme.clone()),
        ("key/acts".to_owned(), key(json!({}))),
        ("key/read".to_owned(), key(json!({"access": "read"}))),
        ("key/memento".to_owned(), key(json!({"packs": ["memento"]}))),
        ("key/echo".to_owned(), key(json!({"tools": ["echo"]}))),
        ("operator".to_owned(), scene.world.operator()),
        ("stranger".to_owned(), scene.world.anonymous()),
    ];
    for (name, scope) in SCOPES {
        callers.push((format!("jwt/{name}"), scene.bearer(&json!({"scope": scope}))));
    }
    let all = json!({"scope": SCOPES[7].1, "roles": ["ops"]});
    callers.push(("jwt/ops".to_owned(), scene.bearer(&all)));

    let listed = key(json!({})).rpc("tools/list", json!({})).value;
    let tools: Vec<_> = listed["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect();
    assert!(tools.len() >= 13, "{tools:?}");
    let names = callers.iter().map(|(name, _)| name.as_str());
    let mut table = vec![line("", names)];
    for tool in &tools {
        let words = callers
            .iter()
            .map(|(_, caller)| outcome(&caller.tool(tool, arguments(tool, &acme.store("a note")))));
        table.push(line(tool, words));
    }
    insta::assert_snapshot!("tools_by_caller", table.join("\n"));
}
