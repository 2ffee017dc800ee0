//! Plain tool calls: answered as the library would, and ended as a session's calls are.

use std::time::Duration;

use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::{
    World, call,
    world::{Scripted, json as read, post, stateless, text, within},
};
use crate::domain::{limits::Rate, pack::Pack};

/// Long enough for anything that is going to happen.
const SOON: Duration = Duration::from_secs(5);

/// A call in a session, with this id.
fn numbered(session: &str, id: &str, params: &Value) -> http::Request<axum::body::Body> {
    let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#);
    post(&[("mcp-session-id", session), ("mcp-protocol-version", "2025-11-25")], body)
}

/// The message in a JSON answer or in the library's stream, without what differs in each.
async fn message(response: http::Response<axum::body::Body>) -> Value {
    let text = text(response).await;
    let data = text.lines().rev().find_map(|line| line.strip_prefix("data:"));
    serde_json::from_str(data.unwrap_or(&text)).unwrap()
}

/// Whatever is asked: the library answers a call with one more parameter, we answer it without.
#[tokio::test(flavor = "multi_thread")]
async fn both_ways_answer_alike() {
    let world =
        World::product(|settings| settings.mcp.packs = vec![Pack::Memento, Pack::Demo].into());
    let alice = world.auth.agent("alice").await;
    let session = world.open(&alice).await;
    for (tool, arguments) in [
        ("echo", json!({"message": "\u{2028} \" \\ \n"})),
        ("echo", json!({"message": 7})),
        ("echo", json!({"nonsense": 7})),
        ("echo", json!({})),
        ("echo", Value::Null),
        ("echo", json!([])),
        ("no_such_tool", json!({})),
        ("list_users", json!({})),
        ("get_memory_content", json!({"memory_id": "20260101_000000_none.txt"})),
        ("retrieve_memories", json!({"query": "nothing"})),
        ("get_user_stats", json!({"user_id": "bob"})),
        ("get_user_stats", json!({"user_id": "alice"})),
    ] {
        let plain = json!({"name": tool, "arguments": arguments});
        let mut more = plain.clone();
        more["more"] = json!(true);
        let [one, two] = [&plain, &more].map(|params| stateless("tools/call", params.clone()));
        let (one, two) = (world.send(&alice, one).await, world.send(&alice, two).await);
        assert_eq!(one.status(), two.status(), "{tool} {arguments}");
        assert_eq!(one.headers()["content-type"], two.headers()["content-type"]);
        assert_eq!(message(one).await, message(two).await, "{tool} {arguments}");

        let one = world.send(&alice, numbered(&session, "\"a\"", &plain)).await;
        let two = world.send(&alice, numbered(&session, "\"a\"", &more)).await;
        assert_eq!((one.status().as_u16(), two.status().as_u16()), (200, 200));
        let one = message(one).await;
        assert_eq!(one, message(two).await, "{tool} {arguments}");
        assert!(one["result"].get("resultType").is_none(), "not in this revision: {one}");
    }
}

#[tokio::test]
async fn a_plain_call_in_a_session_is_answered_in_json() {
    let world = World::direct(&Scripted::default());
    let alice = world.auth.agent("alice").await;
    let session = world.open(&alice).await;
    let response = world.send(&alice, within(&session, "who")).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let answer = read(response).await;
    assert_eq!(answer["result"]["content"][0]["text"], "tenant=alice client=old");
    assert_eq!(world.means.places.taken(&alice.tenant().unwrap().id), (0, 0), "no stream");
    let record = &world.means.ledger.list()[0];
    assert_eq!((record.calls, record.errors), (2, 0));
    assert!(record.bytes_out > 60);
}

#[tokio::test]
async fn a_client_cancels_a_call_of_its_own_session_only() {
    let world = World::direct(&Scripted::default());
    let (alice, bob) = (world.auth.agent("alice").await, world.auth.agent("bob").await);
    let (hers, his) = (world.open(&alice).await, world.open(&bob).await);
    let cancel = |session: &str| {
        let note = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"x","reason":"no"}}"#;
        post(&[("mcp-session-id", session), ("mcp-protocol-version", "2025-11-25")], note)
    };
    let hang = json!({"name": "hang"});
    let mut stuck = Box::pin(world.send(&alice, numbered(&hers, "\"x\"", &hang)));
    assert!(futures::poll!(&mut stuck).is_pending());
    assert_eq!(world.send(&bob, cancel(&his)).await.status(), 202);
    tokio::task::yield_now().await;
    assert!(futures::poll!(&mut stuck).is_pending(), "another session's id means nothing");

    let again = world.send(&alice, numbered(&hers, "\"x\"", &hang)).await;
    assert_eq!(again.status(), 400, "one id, one call");
    assert_eq!(read(again).await["error"]["code"], -32600);

    assert_eq!(world.send(&alice, cancel(&hers)).await.status(), 202);
    let response = tokio::time::timeout(SOON, stuck).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
}

#[tokio::test]
async fn hanging_up_cancels_a_call_that_stands_alone_and_none_in_a_session() {
    let script = Scripted::default();
    let world = World::direct(&script);
    let alice = world.auth.agent("alice").await;
    let session = world.open(&alice).await;
    let wait = json!({"name": "wait"});
    let mut in_session = Box::pin(world.send(&alice, numbered(&session, "1", &wait)));
    assert!(futures::poll!(&mut in_session).is_pending());
    tokio::task::yield_now().await;
    drop(in_session);
    script.go.notify_one();
    tokio::time::timeout(SOON, script.done.notified()).await.unwrap();

    let mut alone = Box::pin(world.send(&alice, call("wait")));
    assert!(futures::poll!(&mut alone).is_pending());
    drop(alone);
    script.go.notify_one();
    let left = tokio::time::timeout(SOON, script.go.notified()).await;
    assert!(left.is_ok(), "nobody took it");
}

#[tokio::test]
async fn i11_a_call_keeps_its_place_when_its_caller_has_hung_up() {
    let script = Scripted::default();
    let world = World::direct(&script);
    let alice = world.auth.agent("alice").await;
    let session = world.open(&alice).await;
    let tenant = &alice.tenant().unwrap().id;
    let place = Some(world.means.places.request(tenant).unwrap().into());
    let wait = numbered(&session, "1", &json!({"name": "wait"}));
    let mut waiting = Box::pin(world.send_in(place, &alice, wait));
    assert!(futures::poll!(&mut waiting).is_pending());
    // The call's task comes to its wait.
    tokio::task::yield_now().await;
    drop(waiting);
    assert_eq!(world.means.places.taken(tenant).0, 1);
    script.go.notify_one();
    world.means.tasks.close();
    tokio::time::timeout(SOON, world.means.tasks.wait()).await.unwrap();
    assert_eq!(world.means.places.taken(tenant).0, 0);
}

#[tokio::test]
async fn i11_hanging_up_stops_what_the_library_runs() {
    for in_session in [false, true] {
        let script = Scripted::default();
        let world = World::direct(&script);
        let alice = world.auth.agent("alice").await;
        let session = world.open(&alice).await;
        let params = json!({"name": "wait", "more": 1});
        let call = if in_session {
            numbered(&session, "1", &params)
        } else {
            stateless("tools/call", params)
        };
        let mut waiting = Box::pin(world.send(&alice, call));
        let begun = async {
            tokio::select! {
                _ = &mut waiting => panic!("it waits"),
                () = script.begun.notified() => {}
            }
        };
        tokio::time::timeout(SOON, begun).await.unwrap();
        drop(waiting);
        tokio::time::timeout(SOON, script.over.notified()).await.unwrap();
    }
}

#[tokio::test]
async fn i9_what_the_library_runs_stops_with_the_key() {
    let script = Scripted::default();
    let world = World::direct(&script);
    let alice = world.auth.agent("alice").await;
    let call = stateless("tools/call", json!({"name": "wait", "more": 1}));
    let revoke = async {
        script.begun.notified().await;
        world.auth.registry.keys.revoke(alice.key_id()).unwrap();
        script.over.notified().await;
    };
    let both = futures::future::join(world.send(&alice, call), revoke);
    let (response, ()) = tokio::time::timeout(SOON, both).await.unwrap();
    assert_eq!(response.status(), 401);
}

#[tokio::test]
async fn any_request_of_a_session_can_be_cancelled_and_has_its_id_alone() {
    let script = Scripted::default();
    let world = World::direct(&script);
    let alice = world.auth.agent("alice").await;
    let session = world.open(&alice).await;
    let wait = json!({"name": "wait", "more": 1});
    let cancelled = async {
        script.begun.notified().await;
        let again = world.send(&alice, numbered(&session, "7", &wait)).await;
        assert_eq!(again.status(), 400, "one id, one request");
        let note =
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#;
        let note =
            post(&[("mcp-session-id", &session), ("mcp-protocol-version", "2025-11-25")], note);
        assert_eq!(world.send(&alice, note).await.status(), 202);
        script.over.notified().await;
    };
    let both = futures::future::join(world.send(&alice, numbered(&session, "7", &wait)), cancelled);
    let (response, ()) = tokio::time::timeout(SOON, both).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
}

#[tokio::test]
async fn i9_a_plain_call_under_way_stops_with_the_key() {
    for in_session in [false, true] {
        let world = World::direct(&Scripted::default());
        let alice = world.auth.agent("alice").await;
        let session = world.open(&alice).await;
        let hang = if in_session { within(&session, "hang") } else { call("hang") };
        let mut stuck = Box::pin(world.send(&alice, hang));
        assert!(futures::poll!(&mut stuck).is_pending());
        world.auth.registry.keys.revoke(alice.key_id()).unwrap();
        let response = tokio::time::timeout(SOON, stuck).await.unwrap();
        assert_eq!(response.status(), 401);
        world.means.tasks.close();
        world.means.stop.cancel();
        tokio::time::timeout(SOON, world.means.tasks.wait()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_a_plain_call_reaches_is_a_status() {
    let world = World::product(|settings| {
        settings.limits.tool_calls_per_key = Some(Rate::new(1, 3600));
    });
    let alice = world.auth.agent("alice").await;
    let session = world.open(&alice).await;
    let stats = json!({"name": "get_user_stats"});
    assert_eq!(world.send(&alice, numbered(&session, "1", &stats)).await.status(), 200);
    let limited = world.send(&alice, numbered(&session, "2", &stats)).await;
    assert_eq!(limited.status(), 429);
    assert!(limited.headers().contains_key("retry-after"));
}
