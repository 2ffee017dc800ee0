//! Sessions of the 2025 revisions: whose they are, how they end, how many there may be.

use futures::StreamExt as _;
use http_body_util::BodyStream;

use super::{
    World, call, initialize,
    world::{delete, get, json, post, text, within},
};

#[tokio::test]
async fn a_session_serves_its_key() {
    for world in World::both(|_| {}) {
        let alice = world.auth.agent("alice").await;
        let session = world.open(&alice).await;
        let note = post(
            &[("mcp-session-id", &session)],
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        );
        assert_eq!(world.send(&alice, note).await.status(), 202);
        let answer = text(world.send(&alice, within(&session, "who")).await).await;
        assert!(answer.contains("tenant=alice client=old"), "{answer}");
        let record = &world.means.ledger.list()[0];
        assert_eq!((record.calls, record.errors), (3, 0));
        assert_eq!((record.client.name.as_str(), record.protocol.as_str()), ("old", "2025-11-25"));
        let answer = text(world.send(&alice, within(&session, "panic")).await).await;
        assert!(answer.contains("-32603"), "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_lost_its_session_opens_a_new_one() {
    let world = World::new();
    let alice = world.auth.agent("alice").await;
    for old in ["gone", &world.open(&alice).await] {
        let mut again = initialize();
        again.headers_mut().insert("mcp-session-id", old.parse().unwrap());
        let response = world.send(&alice, again).await;
        assert_eq!(response.status(), 200, "{old}");
        assert_ne!(response.headers()["mcp-session-id"], old);
    }
    assert_eq!(world.held(&alice).await, 3);
}

#[tokio::test]
async fn i8_a_foreign_session_is_an_unknown_one() {
    for world in World::both(|_| {}) {
        let alice = world.auth.agent("alice").await;
        let second_key = world.auth.agent("alice").await;
        let bob = world.auth.agent("bob").await;
        let session = world.open(&alice).await;
        let own_of_bob = world.open(&bob).await;

        for thief in [&bob, &second_key] {
            for request in [within, |id: &str, _: &str| get(id), |id: &str, _: &str| delete(id)] {
                let foreign = world.send(thief, request(&session, "who")).await;
                let unknown =
                    world.send(thief, request("11111111-1111-4111-8111-111111111111", "who")).await;
                assert_eq!((foreign.status().as_u16(), unknown.status().as_u16()), (404, 404));
                assert_eq!(foreign.headers(), unknown.headers());
                assert_eq!(text(foreign).await, text(unknown).await);
            }
        }
        // A foreign event id in a session of one's own replays nothing foreign.
        let mut resume = get(&own_of_bob);
        resume.headers_mut().insert("last-event-id", "0/0".parse().unwrap());
        let mut replayed = BodyStream::new(world.send(&bob, resume).await.into_body());
        if let Some(first) = replayed.next().await {
            let first = first.unwrap().into_data().unwrap();
            assert!(!String::from_utf8_lossy(&first).contains("alice"), "{first:?}");
        }
        drop(replayed);

        assert!(
            text(world.send(&alice, within(&session, "who")).await).await.contains("tenant=alice")
        );
    }
}

#[tokio::test]
async fn a_session_id_stands_once() {
    for world in World::both(|_| {}) {
        let alice = world.auth.agent("alice").await;
        let session = world.open(&alice).await;
        let mut twice = within(&session, "who");
        twice.headers_mut().append("mcp-session-id", session.parse().unwrap());
        assert_eq!(world.send(&alice, twice).await.status(), 400);
        let none = post(&[], r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        assert_eq!(world.send(&alice, none).await.status(), 400);
        let long = "x".repeat(10_000);
        assert_eq!(world.send(&alice, within(&long, "who")).await.status(), 404);
    }
}

#[tokio::test]
async fn delete_leaves_nothing_behind() {
    for world in World::both(|_| {}) {
        let alice = world.auth.agent("alice").await;
        let session = world.open(&alice).await;
        let response = world.send(&alice, delete(&session)).await;
        assert_eq!(response.status(), 204);
        assert_eq!(world.held(&alice).await, 0);
        assert!(world.means.ledger.list().is_empty());
        assert_eq!(world.send(&alice, within(&session, "who")).await.status(), 404);
    }
}

#[tokio::test]
async fn i9_a_stream_ends_with_its_session() {
    for (world, revoke) in
        [false, true].into_iter().flat_map(|r| World::both(|_| {}).map(|w| (w, r)))
    {
        let alice = world.auth.agent("alice").await;
        let session = world.open(&alice).await;
        let response = world.send(&alice, get(&session)).await;
        assert_eq!(response.status(), 200);
        let mut stream = BodyStream::new(response.into_body());
        assert!(stream.next().await.is_some(), "the stream opens with an event");
        let record = world.means.ledger.list().remove(0);
        assert_eq!(record.open_streams, 1);
        if revoke {
            assert!(world.auth.registry.keys.revoke(alice.key_id()).unwrap());
        } else {
            assert!(world.means.ledger.end(&record.id).is_some());
        }
        let end = async { while stream.next().await.is_some() {} };
        tokio::time::timeout(std::time::Duration::from_secs(5), end).await.unwrap();
        world.settles_at(&alice, 0).await;
        assert_eq!(world.means.places.taken(&alice.tenant().unwrap().id).1, 1);
        drop(stream);
        assert_eq!(world.means.places.taken(&alice.tenant().unwrap().id).1, 0);
    }
}

#[tokio::test]
async fn i9_a_stream_without_a_session_ends_with_its_key() {
    let world = World::with(|settings| settings.mcp.json_response = false);
    let alice = world.auth.agent("alice").await;
    let response = world.send(&alice, call("hang")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(world.means.places.taken(&alice.tenant().unwrap().id).1, 1);
    world.auth.registry.keys.revoke(alice.key_id()).unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(5), text(response)).await.unwrap();
    assert_eq!(world.means.places.taken(&alice.tenant().unwrap().id).1, 0);
}

#[tokio::test]
async fn i9_what_is_under_way_stops_with_the_key() {
    let world = World::new();
    let alice = world.auth.agent("alice").await;
    let stuck = world.send(&alice, call("hang"));
    let revoke = async {
        while world.means.ledger.list().is_empty() {
            tokio::task::yield_now().await;
        }
        world.auth.registry.keys.revoke(alice.key_id()).unwrap();
    };
    let both = futures::future::join(stuck, revoke);
    let (response, ()) =
        tokio::time::timeout(std::time::Duration::from_secs(4), both).await.unwrap();
    assert_eq!(response.status(), 401);
}

#[tokio::test]
async fn an_ended_caller_is_told_so() {
    for world in World::both(|_| {}) {
        let alice = world.auth.agent("alice").await;
        assert_eq!(world.send(&alice, call("who")).await.status(), 200);
        let id = world.means.ledger.list().remove(0).id;
        assert!(world.means.ledger.end(&id).is_some());
        let response = world.send(&alice, call("who")).await;
        assert_eq!(response.status(), 403);
        let body = json(response).await;
        assert!(
            body["error"]["message"].as_str().unwrap().contains("ended by an operator"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn sessions_and_streams_are_capped_per_tenant() {
    for world in World::both(|settings| {
        settings.limits.sessions_per_tenant = 2;
        settings.limits.streams_per_tenant = 1;
    }) {
        let (alice, bob) = (world.auth.agent("alice").await, world.auth.agent("bob").await);
        let session = world.open(&alice).await;
        world.open(&alice).await;
        let full = world.send(&alice, initialize()).await;
        assert_eq!(full.status(), 429);
        assert!(full.headers().contains_key("retry-after"));
        world.open(&bob).await;

        let first = world.send(&alice, get(&session)).await;
        assert_eq!(first.status(), 200);
        assert_eq!(world.send(&alice, get(&session)).await.status(), 429);
        drop(first);
        assert_eq!(world.send(&alice, get(&session)).await.status(), 200);
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_no_session() {
    let world = World::new();
    let alice = world.auth.agent("alice").await;
    let mut answer = Box::pin(world.send(&alice, initialize()));
    // Far enough for the library to be asked, not far enough for the answer.
    let _ = futures::poll!(&mut answer);
    drop(answer);
    world.means.tasks.close();
    tokio::time::timeout(std::time::Duration::from_secs(5), world.means.tasks.wait())
        .await
        .unwrap();
    assert_eq!(world.held(&alice).await, 0);
    assert!(world.means.ledger.list().is_empty());
}

#[tokio::test]
async fn i12_a_stop_ends_every_session_and_task() {
    for world in World::both(|_| {}) {
        let alice = world.auth.agent("alice").await;
        let session = world.open(&alice).await;
        let response = world.send(&alice, get(&session)).await;
        world.means.stop.cancel();
        world.means.tasks.close();
        tokio::time::timeout(std::time::Duration::from_secs(5), world.means.tasks.wait())
            .await
            .unwrap();
        let _ = text(response).await;
        world.settles_at(&alice, 0).await;
    }
}
