//! What outlives the process.

use serde_json::json;

use crate::world::World;

#[test]
fn memories_keys_and_tenants_outlive_a_restart() {
    let mut world = World::start();
    let key = world.second_of_acme();
    let id = world.acme().store("remember the milk");
    world.restart();
    let read = world.bearer(&key.secret).tool("get_memory_content", json!({"memory_id": id}));
    assert!(read.text().contains("remember the milk"), "{:?}", read.http);
    let found = world.acme().tool("retrieve_memories", json!({"query": "milk"}));
    assert!(found.text().contains("milk"), "{:?}", found.http);
}

#[test]
fn a_session_of_before_is_unknown_after() {
    let mut world = World::start();
    let session = world.acme().session();
    world.restart();
    let stale = session.used_by(&world.acme());
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    assert_eq!(stale.post("/mcp", &body).status, 404, "clients then initialize again");
    assert_eq!(world.operator().get("/admin/sessions").json()["active_sessions"], 0);
}

#[test]
fn two_servers_never_share_a_data_directory() {
    let world = World::start();
    let port = crate::world::free_port();
    let second = world.command(&["serve", "--set", &format!("listen.port={port}")]);
    assert_eq!(second.code, Some(2), "{}{}", second.stdout, second.stderr);
    assert!(second.stderr.contains("uses the data directory"), "{}", second.stderr);
    assert_eq!(world.anonymous().get("/readyz").status, 200, "the first is unharmed");
}
