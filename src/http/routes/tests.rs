//! Every route against every persona.

use super::*;
use crate::http::testing::{Scene, body, text};

#[tokio::test]
async fn i3_unknown_route_is_denied() {
    let scene = Scene::new();
    let (agent, operator) = (scene.agent("acme"), scene.operator());
    for path in ["/nothing", "/mcp/", "/MCP", "//mcp", "/mcp/x", "/health/", "/sse", "/adminx"] {
        for key in [None, Some(agent.as_str()), Some(operator.as_str())] {
            let answer = scene.call("GET", path, key, "").await;
            assert_eq!(answer.status(), 404, "{path}");
        }
    }
    let auth = scene.world.stats.snapshot().auth;
    assert_eq!(auth.verified + auth.cached + auth.missing, 0, "nobody was asked for a key");
    for path in ["/admin", "/admin/", "/admin/metrics", "/admin/keys/a/b", "/admin/../mcp"] {
        assert_eq!(scene.call("GET", path, None, "").await.status(), 401, "{path}");
        assert_eq!(scene.call("GET", path, Some(&agent), "").await.status(), 403, "{path}");
        assert_eq!(scene.call("POST", path, Some(&operator), "").await.status(), 404, "{path}");
    }
}

/// What each persona meets at a row, when it is let in or not.
#[tokio::test]
async fn every_row_lets_in_whom_it_names_and_nobody_else() {
    let scene = Scene::new();
    let (agent, operator) = (scene.agent("acme"), scene.operator());
    for row in TABLE {
        let path = row.path.replace("{id}", "s_0000000000000000");
        let status = async |key: Option<&str>| {
            scene.call(row.method, &path, key, "").await.status().as_u16()
        };
        let met = [
            status(None).await,
            status(Some("mg_wrong")).await,
            status(Some(&agent)).await,
            status(Some(&operator)).await,
        ];
        let named = |key: u16| ![401, 403].contains(&key);
        match row.who {
            Who::Anyone => assert!(met.into_iter().all(named), "{row:?}: {met:?}"),
            Who::Key(Role::Agent, _) => {
                assert_eq!((met[0], met[1], met[3]), (401, 401, 403), "{row:?}");
                assert!(named(met[2]), "{row:?}: {met:?}");
            }
            Who::Key(Role::Operator, _) => {
                assert_eq!((met[0], met[1], met[2]), (401, 401, 403), "{row:?}");
                assert!(named(met[3]), "{row:?}: {met:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_method_is_named_without_a_key() {
    let scene = Scene::new();
    for method in ["PUT", "PATCH", "TRACE", "OPTIONS", "BREW"] {
        let answer = scene.call(method, "/mcp", None, "").await;
        assert_eq!(answer.status(), 405, "{method}");
        let allow = answer.headers()["allow"].to_str().unwrap().to_owned();
        for allowed in ["POST", "GET", "DELETE"] {
            assert!(allow.contains(allowed), "{allow}");
        }
    }
    let answer = scene.call("DELETE", "/health", None, "").await;
    assert_eq!(answer.status(), 405);
    assert_eq!(scene.call("CONNECT", "127.0.0.1:3000", None, "").await.status(), 405);
}

#[tokio::test]
async fn each_listener_serves_its_areas() {
    let cases = [
        (Surface::Public, false, [200, 401, 401]),
        (Surface::Public, true, [200, 401, 404]),
        (Surface::Admin, true, [200, 404, 401]),
        (Surface::Ops, true, [200, 404, 404]),
        (Surface::Control, true, [200, 404, 200]),
    ];
    for (surface, admin_listener, expected) in cases {
        let scene = Scene::with(|s| {
            s.listen.admin = admin_listener.then(|| "127.0.0.1:3001".parse().unwrap());
        })
        .at(surface);
        let mut met = Vec::new();
        for path in ["/health", "/mcp", "/admin/sessions"] {
            met.push(scene.call("GET", path, None, "").await.status().as_u16());
        }
        assert_eq!(met, expected, "{surface:?} {admin_listener}");
    }
}

#[tokio::test]
async fn health_says_one_thing_and_readiness_follows() {
    let scene = Scene::new();
    for path in ["/", "/health", "/healthz"] {
        assert_eq!(text(scene.call("GET", path, None, "").await).await, r#"{"status":"ok"}"#);
    }
    let ready = async || scene.call("GET", "/readyz", None, "").await.status().as_u16();
    assert_eq!(ready().await, 503);
    scene.state.readiness.serving();
    assert_eq!(ready().await, 200);
    scene.state.readiness.draining();
    assert_eq!(ready().await, 503);
}

#[tokio::test]
async fn keys_and_tenants_are_made_listed_and_revoked() {
    let scene = Scene::new();
    let operator = scene.operator();
    let call = async |method: &str, path: &str, sent: &str| {
        scene.call(method, path, Some(&operator), sent).await
    };
    let made = call("POST", "/admin/tenants", r#"{"label":"acme"}"#).await;
    assert_eq!(made.status(), 201);
    assert_eq!(call("POST", "/admin/tenants", r#"{"label":"acme"}"#).await.status(), 409);
    assert_eq!(call("POST", "/admin/tenants", r#"{"label":"../x"}"#).await.status(), 400);

    let made = call("POST", "/admin/keys", r#"{"tenant":"acme","label":"laptop"}"#).await;
    assert_eq!(made.status(), 201);
    assert_eq!(made.headers()["cache-control"], "no-store");
    let place = made.headers()["location"].to_str().unwrap().to_owned();
    let made = body(made).await;
    let secret = made["secret"].as_str().unwrap().to_owned();
    assert_eq!((&made["tenant"], &made["name"]), (&"acme".into(), &"laptop".into()));

    let listed = text(call("GET", "/admin/keys", "").await).await;
    assert!(listed.contains(made["id"].as_str().unwrap()));
    assert!(!listed.contains(&secret) && !listed.contains("argon2"), "never shown again");

    assert_eq!(scene.call("POST", "/mcp", Some(&secret), "").await.status(), 200);
    assert_eq!(call("DELETE", &place, "").await.status(), 204);
    assert_eq!(scene.call("POST", "/mcp", Some(&secret), "").await.status(), 401);
    assert_eq!(call("DELETE", "/admin/keys/000000000000", "").await.status(), 404);
}

#[tokio::test]
async fn nobody_makes_a_key_by_a_field_that_was_not_offered() {
    let scene = Scene::new();
    let (operator, _) = (scene.operator(), scene.agent("acme"));
    for sent in [
        r#"{"tenant":"acme","role":"admin"}"#,
        r#"{"tenant":"acme","hash":"x"}"#,
        r#"{"tenant":"acme","id":"000000000000"}"#,
        r#"{"tenant":"acme","tenant":"globex"}"#,
        "[]",
        "",
    ] {
        let answer = scene.call("POST", "/admin/keys", Some(&operator), sent).await;
        assert_eq!(answer.status(), 400, "{sent}");
        let problem = body(answer).await;
        assert_eq!(problem["status"], 400);
        assert!(problem["instance"].as_str().is_some_and(|id| !id.is_empty()));
    }
    let unknown = scene.call("POST", "/admin/keys", Some(&operator), r#"{"tenant":"globex"}"#);
    assert_eq!(unknown.await.status(), 404);
}

#[tokio::test]
async fn statistics_and_sessions_have_their_shapes() {
    let scene = Scene::new();
    let (operator, agent) = (scene.operator(), scene.agent("acme"));
    scene.call("POST", "/mcp", Some(&agent), "").await;
    let stats = body(scene.call("GET", "/admin/stats", Some(&operator), "").await).await;
    assert_eq!(stats["responses"]["by_status"]["200"], 1);
    assert_eq!(stats["tenants"]["known"], 1);
    assert!(stats["since"].is_string() && stats["uptime_seconds"].is_u64());
    let sessions = body(scene.call("GET", "/admin/sessions", Some(&operator), "").await).await;
    assert_eq!(sessions, serde_json::json!({ "active_sessions": 0, "sessions": [] }));
}
