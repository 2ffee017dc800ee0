//! What sessions that the ledger alone keeps do by themselves; what they share with the library's
//! is in `sessions`.

use std::collections::HashSet;

use http_body_util::BodyExt as _;
use serde_json::json;

use super::{
    World, initialize,
    world::{Scripted, get, json as read, post},
};

fn message(session: &str, body: &str) -> http::Request<axum::body::Body> {
    post(&[("mcp-session-id", session), ("mcp-protocol-version", "2025-11-25")], body)
}

#[tokio::test]
async fn opening_one_is_an_answer_in_json_and_an_entry_in_the_ledger() {
    let world = World::direct(&Scripted::default());
    let alice = world.auth.agent("alice").await;
    let mut ids = HashSet::new();
    for (client, (offered, agreed)) in [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2026-07-28", "2025-11-25"),
        ("2024-11-05", "2025-11-25"),
    ]
    .into_iter()
    .enumerate()
    {
        let hello = format!(
            r#"{{"jsonrpc":"2.0","id":"h","method":"initialize","params":{{"protocolVersion":"{offered}","capabilities":{{}},"clientInfo":{{"name":"c{client}","version":"1"}}}}}}"#
        );
        let response = world.send(&alice, post(&[], hello)).await;
        assert_eq!(response.headers()["content-type"], "application/json");
        let id = response.headers()["mcp-session-id"].clone();
        assert!(id.is_sensitive() && id.len() == 32, "{id:?}");
        assert!(ids.insert(id), "no id twice");
        let answer = read(response).await;
        assert_eq!(answer["id"], "h");
        assert_eq!(answer["result"]["protocolVersion"], agreed, "{offered}");
        let [record] = &world.means.ledger.list()[..] else { panic!("one session") };
        assert_eq!(record.protocol, agreed);
        assert!(record.bytes_out > 50);
        assert!(world.means.ledger.end(&record.id).is_some());
    }
    assert_eq!(world.held(&alice).await, 0, "the library holds nothing");
}

#[tokio::test]
async fn an_initialize_that_does_not_fit_opens_nothing_and_gives_its_place_back() {
    let world = World::direct_with(&Scripted::default(), |settings| {
        settings.limits.sessions_per_tenant = 3;
    });
    let alice = world.auth.agent("alice").await;
    for params in
        [r#"{"protocolVersion":"2025-11-25"}"#, r#"{"protocolVersion":7}"#, r#"{"clientInfo":{}}"#]
    {
        let hello =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{params}}}"#);
        let response = world.send(&alice, post(&[], hello)).await;
        assert_eq!(response.status(), 400, "{params}");
        assert!(!response.headers().contains_key("mcp-session-id"));
        assert_eq!(read(response).await["error"]["code"], -32600);
    }
    assert!(world.means.ledger.list().is_empty());
    for status in [200, 200, 200, 429] {
        let response = world.send(&alice, initialize()).await;
        assert_eq!(response.status(), status, "three places, all of them free");
    }
}

#[tokio::test]
async fn what_is_no_plain_call_is_served_as_if_it_stood_alone() {
    let world = World::direct(&Scripted::default());
    let alice = world.auth.agent("alice").await;
    let session = world.open(&alice).await;
    for (body, status, expected) in [
        (r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#, 200, json!({"tools": []})),
        (r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#, 200, json!({})),
    ] {
        let response = world.send(&alice, message(&session, body)).await;
        assert_eq!(response.status(), status);
        let answer = read(response).await;
        assert_eq!((&answer["id"], &answer["result"]), (&json!(7), &expected));
    }
    let unknown = message(&session, r#"{"jsonrpc":"2.0","id":7,"method":"no/such"}"#);
    assert_eq!(read(world.send(&alice, unknown).await).await["error"]["code"], -32601);
    // Nothing was asked, so an answer means nothing and does no harm.
    let answer = message(&session, r#"{"jsonrpc":"2.0","id":7,"result":{}}"#);
    assert_eq!(world.send(&alice, answer).await.status(), 202);
    assert_eq!(world.means.ledger.list()[0].errors, 1);
}

#[tokio::test]
async fn the_silent_stream_opens_at_once_and_ends_with_the_server() {
    let world = World::direct(&Scripted::default());
    let alice = world.auth.agent("alice").await;
    let session = world.open(&alice).await;
    let response = world.send(&alice, get(&session)).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap().as_ref(), b":\n\n", "a comment");
    assert_eq!(world.means.ledger.list()[0].open_streams, 1);
    world.means.stop.cancel();
    while body.frame().await.is_some() {}
}
