//! Messages that stand alone, and what is turned away before any session is asked for.

use http::Method;
use serde_json::json;

use super::{
    super::{Body, Full, Request, whole},
    World, call, list,
    world::{json, post, stateless, text},
};

#[tokio::test]
async fn i1_the_tenant_is_the_credentials() {
    let world = World::new();
    let (alice, bob) = (world.auth.agent("alice").await, world.auth.agent("bob").await);
    for who in [&alice, &bob] {
        let label = &who.tenant().unwrap().label;
        let mut request = call("who");
        for name in ["x-tenant", "mcp-session-id", "x-user-id"] {
            request.headers_mut().insert(name, "alice".parse().unwrap());
        }
        let response = world.send(who, request).await;
        assert_eq!(response.status(), 200);
        assert!(!response.headers().contains_key("mcp-session-id"));
        let body = json(response).await;
        let said = format!("tenant={label} client=tester");
        assert_eq!(body["result"]["content"][0]["text"], said);
    }
}

#[tokio::test]
async fn i1_without_a_visit_there_is_no_tenant() {
    let world = World::new();
    let alice = world.auth.agent("alice").await;
    let service = world.gateway.service(alice.tenant().unwrap());
    let (mut parts, body) = call("who").into_parts();
    parts.headers.insert("host", "127.0.0.1".parse().unwrap());
    let bytes = whole(body).await.unwrap();
    let response = service.http.handle(Request::from_parts(parts, Full::new(bytes))).await;
    let body = json(response.map(Body::new)).await;
    assert_eq!(body["error"]["code"], -32603);
}

#[tokio::test]
async fn an_operator_key_opens_no_memory() {
    let world = World::new();
    let operator = world.auth.operator().await;
    assert_eq!(world.send(&operator, list()).await.status(), 403);
}

#[tokio::test]
async fn a_panic_is_an_answer() {
    let world = World::new();
    let alice = world.auth.agent("alice").await;
    let body = json(world.send(&alice, call("panic")).await).await;
    assert_eq!(body["error"], json!({"code": -32603, "message": "internal error"}));
    assert_eq!(world.send(&alice, list()).await.status(), 200);
}

#[tokio::test]
async fn bad_messages_are_refused_in_json_rpc() {
    let world = World::new();
    let alice = world.auth.agent("alice").await;
    let modern = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/list")];
    for (headers, body, status, code) in [
        (&modern[..], "", 400, -32700),
        (&modern, "[]", 400, -32600),
        (&modern, r#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#, 400, -32600),
        (&modern, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":null}"#, 400, -32602),
        (
            &modern,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"who"}}"#,
            400,
            -32600,
        ),
        (&modern, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, 400, -32600),
        (&[], r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, 400, -32600),
        (&[], r#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#, 400, -32602),
        (
            &[("mcp-protocol-version", "2025-03-26")],
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            400,
            -32022,
        ),
    ] {
        let response = world.send(&alice, post(headers, body)).await;
        assert_eq!(response.status(), status, "{body}");
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(json(response).await["error"]["code"], code, "{body}");
    }
}

#[tokio::test]
async fn stateless_methods_that_are_not_there() {
    let world = World::new();
    let alice = world.auth.agent("alice").await;
    for method in ["foo/bar", "ping", "rpc.discover", "logging/setLevel"] {
        let response = world.send(&alice, stateless(method, json!({}))).await;
        assert_eq!(response.status(), 404, "{method}");
        assert_eq!(json(response).await["error"]["code"], -32601, "{method}");
    }
    let mut request = list();
    request.headers_mut().insert("mcp-method", "tools/call".parse().unwrap());
    let response = world.send(&alice, request).await;
    assert_eq!(
        (response.status().as_u16(), json(response).await["error"]["code"].clone()),
        (400, json!(-32020))
    );
}

#[tokio::test]
async fn media_types_and_methods_are_held() {
    let world = World::new();
    let alice = world.auth.agent("alice").await;
    let change = |name: &'static str, value: &'static str| {
        let mut request = list();
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    for (request, status) in [
        (change("content-type", "text/plain"), 415),
        (change("accept", "text/html"), 406),
        (change("accept", "*/*"), 200),
    ] {
        assert_eq!(world.send(&alice, request).await.status(), status);
    }
    for method in [Method::PUT, Method::PATCH, Method::OPTIONS] {
        let request = Request::builder().method(&method).uri("/mcp").body(Body::empty()).unwrap();
        let response = world.send(&alice, request).await;
        assert_eq!(response.status(), 405, "{method}");
        assert!(response.headers().contains_key("allow"));
    }
    // GET and DELETE without a session, or in the revision that has none.
    for method in [Method::GET, Method::DELETE] {
        for headers in [&[][..], &[("mcp-protocol-version", "2026-07-28"), ("mcp-session-id", "x")]]
        {
            let mut request =
                Request::builder().method(&method).header("accept", "text/event-stream");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let response = world.send(&alice, request.body(Body::empty()).unwrap()).await;
            assert_eq!(response.status(), 405, "{method} {headers:?}");
            assert_eq!(response.headers()["allow"], "POST");
        }
        let request = Request::builder().method(&method).header("accept", "text/event-stream");
        let request = request.header("mcp-protocol-version", "2099-01-01");
        let request = request.header("mcp-session-id", "x").body(Body::empty()).unwrap();
        let response = world.send(&alice, request).await;
        assert_eq!(response.status(), 400, "{method}");
        assert_eq!(json(response).await["error"]["code"], -32022, "{method}");
    }
}

#[tokio::test]
async fn an_id_cannot_break_out_of_the_answer() {
    let world = World::new();
    let alice = world.auth.agent("alice").await;
    let body = r#"{"jsonrpc":"2.0","id":"x\r\ndata: {}\r\n\r\n","method":"tools/list"}"#;
    let response = world.send(&alice, post(&[], body)).await;
    let answer = text(response).await;
    assert!(!answer.contains('\n'), "{answer}");
    let value: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(value["id"], "x\r\ndata: {}\r\n\r\n");
}

#[tokio::test]
async fn requests_are_counted_with_their_failures() {
    let world = World::new();
    let alice = world.auth.agent("alice").await;
    for tool in ["who", "fail", "panic"] {
        let _ = text(world.send(&alice, call(tool)).await).await;
    }
    let _ = world.send(&alice, stateless("foo/bar", json!({}))).await;
    let records = world.means.ledger.list();
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!((record.calls, record.protocol.as_str()), (4, "2026-07-28"));
    assert_eq!(record.client.name, "tester");
    assert_eq!(record.errors, 3, "a failure, a panic, a method that is not there");
    assert!(record.bytes_in > 800 && record.bytes_out > 100, "{record:?}");
}

#[tokio::test]
async fn services_without_sessions_make_room() {
    let world = World::with(|settings| settings.mcp.max_services = 1);
    let (alice, bob) = (world.auth.agent("alice").await, world.auth.agent("bob").await);
    assert_eq!(world.send(&alice, list()).await.status(), 200);
    assert_eq!(world.send(&bob, list()).await.status(), 200);
    assert_eq!(world.gateway.open_services(), 1);

    let session = world.open(&bob).await;
    let response = world.send(&alice, list()).await;
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    assert!(
        text(world.send(&bob, super::world::within(&session, "who")).await)
            .await
            .contains("tenant=bob")
    );
}
