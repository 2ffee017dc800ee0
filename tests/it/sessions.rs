//! What an operator sees of every caller, and how a session ends.

use serde_json::{Value, json};

use crate::world::World;

fn sessions(world: &World) -> Vec<Value> {
    let answer = world.operator().get("/admin/sessions");
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    let list = body["sessions"].as_array().expect("a list").clone();
    assert_eq!(body["active_sessions"].as_u64(), Some(list.len() as u64), "{body}");
    list
}

#[test]
fn both_eras_are_listed_and_no_protocol_id_is_shown() {
    let world = World::start();
    let legacy = world.acme().session();
    world.globex().rpc("tools/list", json!({}));
    let list = sessions(&world);
    let of = |tenant: &str| list.iter().find(|s| s["tenant"] == tenant).expect("a session");
    assert_eq!(list.len(), 2, "{list:?}");
    assert_eq!(of("acme")["client"]["name"], "it-legacy");
    assert_eq!(of("acme")["protocol"], "2025-11-25");
    assert_eq!(of("globex")["protocol"], "2026-07-28");
    assert_eq!(of("globex")["address"], "127.0.0.1");
    for session in &list {
        for field in ["id", "key", "first_seen", "last_seen", "calls", "errors", "bytes_in"] {
            assert!(!session[field].is_null(), "{field} in {session}");
        }
    }
    assert!(!format!("{list:?}").contains(&legacy.id), "the protocol's id is a secret");
}

#[test]
fn counts_add_up() {
    let world = World::start();
    for _ in 0..5 {
        world.acme().rpc("tools/list", json!({}));
    }
    assert_eq!(sessions(&world)[0]["calls"].as_u64(), Some(5));
}

#[test]
fn an_operator_ends_a_session_and_its_stream() {
    let world = World::start();
    let session = world.acme().session();
    let stream = session.stream();
    assert_eq!(stream.head.status, 200, "{:?}", stream.head);
    let list = sessions(&world);
    let id = list[0]["id"].as_str().unwrap();
    let ended = world.operator().delete(&format!("/admin/sessions/{id}"));
    assert!((200..300).contains(&ended.status), "{ended:?}");
    stream.rest().expect("the stream is closed by the server");
    let after = session.rpc("tools/list", json!({}));
    assert!([403, 404].contains(&after.http.status), "{:?}", after.http);
    assert!(sessions(&world).is_empty());
    let again = world.operator().delete(&format!("/admin/sessions/{id}"));
    assert_eq!(again.status, 404, "{again:?}");
}

#[test]
fn the_command_line_sees_and_ends_the_same_sessions() {
    let world = World::start();
    let session = world.acme().session();
    let listed = world.command(&["session", "list", "--json"]);
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    let id = sessions(&world)[0]["id"].as_str().unwrap().to_owned();
    let list: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(list["sessions"][0]["id"], id, "{list}");
    let table = world.command(&["session", "list"]).stdout;
    assert!(table.contains(&id) && table.contains("acme"), "{table}");
    let killed = world.command(&["session", "kill", &id]);
    assert_eq!(killed.code, Some(0), "{}", killed.stderr);
    let after = session.rpc("tools/list", json!({}));
    assert!([403, 404].contains(&after.http.status), "{:?}", after.http);
}

#[test]
fn a_client_ends_its_own_session() {
    let world = World::start();
    let session = world.acme().session();
    let gone = session.caller().delete("/mcp");
    assert!((200..300).contains(&gone.status), "{gone:?}");
    assert_eq!(session.rpc("tools/list", json!({})).http.status, 404);
    assert!(sessions(&world).is_empty());
}

#[test]
fn stats_count_and_say_since_when() {
    let world = World::start();
    world.acme().store("one");
    world.anonymous().post("/mcp", &json!({}));
    let stats = world.operator().get("/admin/stats");
    assert_eq!(stats.status, 200, "{stats:?}");
    let text = stats.body.to_lowercase();
    assert!(text.contains("since") || text.contains("started"), "{text}");
    assert!(text.contains("store_memory"), "{text}");
}
