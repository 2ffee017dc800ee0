//! memgate behind an identity provider: tokens over the network, as clients and thieves use them.

#[expect(dead_code, reason = "the tests of units use the rest")]
#[path = "../../src/auth/token/testing.rs"]
pub(crate) mod issuer;

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use self::issuer::{Says, Server, Signer, set, unsigned};
use crate::{
    audit,
    world::{Caller, World, wire::Response},
};

const ISSUER: &str = "https://id.example";
const RESOURCE: &str = "https://memory.example/mcp";
const METADATA: &str = "https://memory.example/.well-known/oauth-protected-resource/mcp";

pub(crate) struct Scene {
    pub(crate) world: World,
    server: Server,
    signer: Signer,
}

#[expect(clippy::disallowed_methods, reason = "the process under test has the machine's clock")]
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

impl Scene {
    fn start() -> Self {
        Self::with("", &[])
    }

    /// With these lines more in the issuer's table.
    pub(crate) fn with(lines: &str, env: &[(&str, &str)]) -> Self {
        let (server, signer) = (Server::start(), Signer::es256("one"));
        server.says("/keys", Says::Document(set(&[signer.jwk(), Signer::rs256("two").jwk()])));
        let file = format!(
            "[auth]\nresource = \"{RESOURCE}\"\n\n[[auth.issuer]]\nissuer = \"{ISSUER}\"\n\
             jwks_url = \"{}\"\nallow_http = true\n{lines}\n",
            server.url("/keys")
        );
        Self { world: World::with_file(&file, env), server, signer }
    }

    fn claims(changes: &Value) -> Value {
        let mut claims = json!({
            "iss": ISSUER, "aud": RESOURCE, "sub": "user-1", "tenant": "acme",
            "exp": now() + 600, "iat": now(), "scope": "memgate:read memgate:write",
        });
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        claims
    }

    pub(crate) fn bearer(&self, changes: &Value) -> Caller {
        self.world.bearer(&self.signer.token(&Self::claims(changes)))
    }
}

fn list(caller: &Caller) -> Response {
    caller.rpc("tools/list", json!({})).http
}

#[test]
fn a_token_opens_the_memory_of_its_tenant_and_no_other() {
    let scene = Scene::start();
    let token = scene.bearer(&json!({}));
    let id = token.store("written with a token");
    let read = scene.world.acme().tool("get_memory_content", json!({"memory_id": id}));
    assert!(read.text().contains("written with a token"), "the tenant's key reads it");
    let globex = scene.bearer(&json!({"tenant": "globex"}));
    assert!(globex.tool("get_memory_content", json!({"memory_id": id})).is_error());
    let sessions = scene.world.operator().get("/admin/sessions").json().to_string();
    assert!(sessions.contains("\"jwt-"), "{sessions}");
    assert_eq!(list(&scene.bearer(&json!({"tenant": "nobody"}))).status, 403);
    assert_eq!(list(&scene.bearer(&json!({"tenant": "../acme"}))).status, 403);
}

#[test]
fn i5_no_token_is_ever_logged() {
    let scene = Scene::with("", &[("LOG_LEVEL", "trace")]);
    let token = scene.signer.token(&Scene::claims(&json!({})));
    assert_eq!(list(&scene.world.bearer(&token)).status, 200);
    assert_eq!(list(&scene.world.bearer(&format!("{token}x"))).status, 401);
    let log = scene.world.log();
    assert!(log.contains("credential refused"), "the log tells why");
    for part in token.split('.') {
        assert!(!log.contains(part));
    }
}

#[test]
fn forged_tokens_get_the_one_401_and_are_told_where_to_go() {
    let scene = Scene::start();
    let (claims, attacker) = (Scene::claims(&json!({})), Signer::es256("one"));
    let tokens = [
        attacker.token(&claims),
        attacker.token_with(&json!({"jku": scene.server.url("/keys")}), &claims),
        unsigned(&json!({"alg": "none"}), &claims),
        scene.signer.token_with(&json!({"alg": "none"}), &claims),
        scene.signer.token(&Scene::claims(&json!({"exp": now() - 60}))),
        scene.signer.token(&Scene::claims(&json!({"aud": "https://other.example"}))),
        scene.signer.token(&Scene::claims(&json!({"iss": "https://evil.example"}))),
    ];
    let without = list(&scene.world.anonymous());
    for token in tokens {
        let answer = list(&scene.world.bearer(&token));
        assert_eq!((answer.status, &answer.body), (401, &without.body));
        let challenge = answer.header("www-authenticate").unwrap();
        assert_eq!(
            challenge,
            format!(
                "Bearer realm=\"memgate\", resource_metadata=\"{METADATA}\", \
                 scope=\"memgate:read memgate:write\""
            )
        );
    }
    let asked = scene.server.hits();
    assert!(asked <= 1, "{asked} fetches");
}

#[test]
fn i10_a_refused_token_is_on_record_with_what_is_wrong_with_it() {
    let scene = Scene::start();
    let of = |changes: &Value| list(&scene.bearer(changes));
    let forged = Signer::es256("one").token(&Scene::claims(&json!({})));
    for (answer, status, detail) in [
        (of(&json!({"exp": now() - 60})), 401, "token expired"),
        (of(&json!({"aud": "https://other.example"})), 401, "token audience"),
        (list(&scene.world.bearer(&forged)), 401, "token signature"),
        (of(&json!({"tenant": "nobody"})), 403, "opens no memory here"),
    ] {
        assert_eq!(answer.status, status);
        let record = audit::record(&scene.world, &answer);
        assert_eq!((&record["detail"], &record["layer"]), (&json!(detail), &json!("credential")));
        // Only the issuer's word makes it somebody's.
        assert_eq!(record["who"]["claimed"].is_string(), status == 403, "{record}");
        assert!(!record.to_string().contains("eyJ"), "i5: {record}");
    }
}

#[test]
fn i3_metadata_follows_the_settings_and_not_the_host() {
    let scene = Scene::start();
    for path in
        ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"]
    {
        let caller = scene.world.anonymous().with("x-forwarded-host", "evil.example");
        let answer = caller.get(path);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        assert_eq!(
            answer.json(),
            json!({
                "resource": RESOURCE,
                "authorization_servers": [ISSUER],
                "scopes_supported": ["memgate:read", "memgate:write"],
                "bearer_methods_supported": ["header"],
                "resource_name": "memgate",
            })
        );
        assert_eq!(caller.send("POST", path, None).status, 405);
    }
}

/// Every tool against every scope: a tool that only looks takes the scope for reading, one that
/// deletes the one for deleting, any other the one for writing.
#[test]
fn every_tool_asks_for_its_scope() {
    let env = [("MEMGATE_MCP__PACKS", "memento,memoryos,demo"), ("RATE_LIMIT_REQUESTS", "10000")];
    let scene = Scene::with("", &env);
    let all = scene.bearer(&json!({})).rpc("tools/list", json!({})).value;
    let tools = all["result"]["tools"].as_array().unwrap();
    assert!(tools.len() >= 10, "{all}");
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        let reads = tool["annotations"]["readOnlyHint"] == true;
        for scope in ["", "openid", "memgate:read", "memgate:write", "memgate:read memgate:write"] {
            let caller = scene.bearer(&json!({"scope": scope}));
            let answer = caller.tool(name, json!({"no_such_argument": 1}));
            let needed = if reads { "memgate:read" } else { "memgate:write" };
            let has = scope.split(' ').any(|s| s == needed);
            let http = &answer.http;
            assert_eq!(http.status, if has { 200 } else { 403 }, "{name} with `{scope}`: {http:?}");
            if !has {
                let challenge = http.header("www-authenticate").unwrap();
                assert_eq!(
                    challenge,
                    format!(
                        "Bearer realm=\"memgate\", error=\"insufficient_scope\", \
                         scope=\"{needed}\", resource_metadata=\"{METADATA}\""
                    )
                );
            }
        }
    }
    assert_eq!(list(&scene.bearer(&json!({"scope": ""}))).status, 200, "to list is to see nothing");
    let reader = scene.bearer(&json!({"scope": "memgate:read"}));
    assert_eq!(reader.tool("store_memory", json!({"content": "x"})).http.status, 403);
}

#[test]
fn a_scope_of_its_own_for_deleting() {
    let scene = Scene::with("", &[("MEMGATE_AUTH__DELETE_SCOPE", "memgate:delete")]);
    let writer = scene.bearer(&json!({"scope": "memgate:write"}));
    let id = writer.store("stays");
    let refused = writer.tool("delete_memory", json!({"memory_id": id}));
    assert_eq!(refused.http.status, 403);
    assert!(refused.http.header("www-authenticate").unwrap().contains("scope=\"memgate:delete\""));
    let deleter = scene.bearer(&json!({"scope": "memgate:delete"}));
    assert_eq!(deleter.tool("delete_memory", json!({"memory_id": id})).http.status, 200);
}

#[test]
fn scopes_hold_in_sessions_and_for_resources_too() {
    let scene = Scene::start();
    let writer = scene.bearer(&json!({"scope": "memgate:write"}));
    assert_eq!(writer.rpc("resources/list", json!({})).http.status, 403);
    let reader = scene.bearer(&json!({"scope": "memgate:read"}));
    assert_eq!(reader.rpc("resources/list", json!({})).http.status, 200);
    let session = reader.session();
    let call = json!({"name": "store_memory", "arguments": {"content": "x"}});
    let answer = session.rpc("tools/call", call);
    assert_eq!(answer.http.status, 403, "{:?}", answer.http);
    let call = json!({"name": "retrieve_memories", "arguments": {}});
    assert_eq!(session.rpc("tools/call", call).http.status, 200);
    // With another scope the same holder may go on in its session.
    let caller = session.used_by(&scene.bearer(&json!({})));
    let call = json!({"name": "store_memory", "arguments": {"content": "x"}});
    assert_eq!(crate::world::LegacySession::rpc_by(&caller, "tools/call", call).http.status, 200);
}

#[test]
fn i9_a_stream_ends_with_its_token() {
    let scene = Scene::with("leeway = \"0s\"", &[]);
    let session = scene.bearer(&json!({"exp": now() + 6})).session();
    let stream = session.stream();
    assert_eq!(stream.head.status, 200, "{:?}", stream.head);
    stream.rest().expect("the stream is closed by the server");
    assert_eq!(session.rpc("tools/list", json!({})).http.status, 401);
    let after = now();
    let longer = scene.bearer(&json!({"exp": after + 600}));
    assert_eq!(list(&longer).status, 200, "the next token works");
}

#[test]
fn an_operator_is_mapped_and_bound_by_scopes() {
    let lines = "role_claim = \"roles\"\noperator_values = [\"memgate-operator\"]";
    let scene = Scene::with(lines, &[]);
    let agent = scene.bearer(&json!({"roles": ["other"]}));
    assert_eq!(agent.get("/admin/stats").status, 403);
    let roles = json!(["memgate-operator"]);
    let operator = scene.bearer(&json!({"roles": roles}));
    assert_eq!(operator.get("/admin/stats").status, 200);
    assert_eq!(list(&operator).status, 403, "an operator opens no memory");
    let looks = scene.bearer(&json!({"roles": roles, "scope": "memgate:read"}));
    assert_eq!(looks.get("/admin/tenants").status, 200);
    let refused = looks.post("/admin/tenants", &json!({"label": "fresh"}));
    assert_eq!(refused.status, 403);
    assert!(refused.header("www-authenticate").unwrap().contains("insufficient_scope"));
    assert_eq!(operator.post("/admin/tenants", &json!({"label": "fresh"})).status, 201);
}

#[test]
fn issuers_that_cannot_be_meant_are_refused_at_the_start() {
    for (file, words) in [
        ("[[auth.issuer]]\nissuer = \"https://i.example\"\ndiscovery = true\n", "auth.resource"),
        ("[auth.issuer]\nissuer = \"https://i.example\"\n", "[[auth.issuer]]"),
        ("[[auth.issuer]]\nisuer = \"https://i.example\"\n", "did you mean `auth.issuer.issuer`?"),
        ("[[auth.issuer]]\nissuer = \"https://i.example\"\n", "one of `jwks_url`, `jwks_file`"),
        ("[[auth.issuer]]\nalgorithms = [\"HS256\"]\n", "ES256, EdDSA or RS256"),
        ("[[auth.issuer]]\nleeway = \"2m\"\n", "must be 0s to 1m"),
        ("[[auth.issuer]]\njwks_url = \"http://keys.example/\"\n", "https://"),
        ("[[auth.issuer]]\njwks_url = \"http://127.0.0.1/\"\n", "allow_http = true"),
        ("[[auth.issuer]]\noperator_values = [\"a\"]\n", "`role_claim` and `operator_values`"),
        ("[[auth.issuer]]\ntenant_map = { \"x\" = \"No\" }\n", "maps `x`"),
        (
            "[[auth.issuer]]\nissuer=\"i\"\njwks_file=\"a\"\n[[auth.issuer]]\nissuer=\"i\"\n\
             jwks_file=\"a\"\n",
            "`issuer` of another table",
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("memgate.toml"), file).unwrap();
        let data = directory.path().join("data");
        let ended = crate::world::Process::command(&data, &[], &["config", "check"], "");
        assert_eq!(ended.code, Some(2), "{file}: {}", ended.stdout);
        assert!(ended.stderr.contains(words), "{file}: {}", ended.stderr);
    }
}
