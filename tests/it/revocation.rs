//! A key that stops working, stops at once.

use serde_json::json;

use crate::world::World;

#[test]
fn i9_a_revoked_key_fails_on_the_next_request() {
    let world = World::start();
    let key = world.second_of_acme();
    assert_eq!(key.caller.rpc("tools/list", json!({})).http.status, 200);
    let revoked = world.operator().delete(&format!("/admin/keys/{}", key.id));
    assert!((200..300).contains(&revoked.status), "{revoked:?}");
    assert_eq!(key.caller.rpc("tools/list", json!({})).http.status, 401);
    assert_eq!(world.acme().rpc("tools/list", json!({})).http.status, 200, "the other key works");
}

#[test]
fn i9_a_revoked_key_loses_its_open_stream_and_its_session() {
    let world = World::start();
    let key = world.second_of_acme();
    let session = key.caller.session();
    let stream = session.stream();
    assert_eq!(stream.head.status, 200, "{:?}", stream.head);
    world.operator().delete(&format!("/admin/keys/{}", key.id));
    stream.rest().expect("the stream is closed by the server");
    assert_eq!(session.rpc("tools/list", json!({})).http.status, 401);
    let left = world.operator().get("/admin/sessions").json();
    assert_eq!(left["active_sessions"], 0, "{left}");
}

#[test]
fn i9_revocation_outlives_a_restart() {
    let mut world = World::start();
    let (revoked, kept) = (world.second_of_acme(), world.second_of_acme());
    world.operator().delete(&format!("/admin/keys/{}", revoked.id));
    world.restart();
    assert_eq!(world.bearer(&revoked.secret).rpc("tools/list", json!({})).http.status, 401);
    assert_eq!(world.bearer(&kept.secret).rpc("tools/list", json!({})).http.status, 200);
}

#[test]
fn i9_the_command_line_revokes_on_a_running_server() {
    let world = World::start();
    let key = world.second_of_acme();
    let revoked = world.command(&["key", "revoke", &key.id]);
    assert_eq!(revoked.code, Some(0), "{}", revoked.stderr);
    assert_eq!(key.caller.rpc("tools/list", json!({})).http.status, 401);
}

#[test]
fn an_expired_key_is_refused() {
    let world = World::start();
    let wish = json!({"tenant": "acme", "name": "old", "expires_at": "2020-01-01T00:00:00Z"});
    let made = world.operator().post("/admin/keys", &wish);
    // Either it is not made at all, or it does not work.
    if made.status == 201 {
        let key = made.json()["secret"].as_str().unwrap().to_owned();
        assert_eq!(world.bearer(&key).rpc("tools/list", json!({})).http.status, 401);
    } else {
        assert_eq!(made.status, 400, "{made:?}");
    }
}
