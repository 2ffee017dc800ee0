//! The scheme as a whole, with an issuer that can be broken: who gets in, who does not, and who
//! is asked for keys how often.

use std::time::Duration;

use serde_json::{Value, json};

use super::testing::{Says, Server, Signer, set};
use crate::{
    auth::{
        Authenticator, Principal,
        testing::{World, network, parts},
    },
    config::{
        auth::{Auth, EnvironmentKey},
        form::url::Url,
        issuer::Issuer,
    },
    domain::{
        Error, Kind, Result, action::Action, clock::Clock, key::Role, limits::Rate, scope::Scope,
        secret::Secret, tenant::TenantLabel,
    },
};

const ISSUER: &str = "https://id.example";
const AUDIENCE: &str = "https://memory.example/mcp";

/// An issuer with one key, and a deployment that trusts it.
struct Scene {
    world: World,
    server: Server,
    signer: Signer,
}

impl Scene {
    fn new() -> Self {
        Self::with(|_, _| {})
    }

    fn with(change: impl FnOnce(&mut Auth, &Server)) -> Self {
        let (server, signer) = (Server::start(), Signer::es256("one"));
        server.says("/keys", Says::Document(set(&[signer.jwk(), Signer::es256("spare").jwk()])));
        let world = World::with(|settings| {
            settings.limits.failures = Rate::new(1_000_000, 60);
            settings.auth.resource = Url::parse(AUDIENCE);
            settings.auth.issuers = vec![Issuer {
                issuer: ISSUER.to_owned(),
                jwks_url: Url::parse(&server.url("/keys")),
                allow_http: true,
                timeout: Duration::from_secs(5),
                ..Issuer::default()
            }];
            change(&mut settings.auth, &server);
        });
        world.tenant("acme");
        Self { world, server, signer }
    }

    fn now(&self) -> i64 {
        self.world.clock.now().as_second()
    }

    /// Good claims, with changes; `null` takes one out.
    fn claims(&self, changes: &Value) -> Value {
        let now = self.now();
        let mut claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "tenant": "acme",
            "exp": now + 600, "iat": now, "scope": "memgate:read memgate:write",
        });
        let members = claims.as_object_mut().unwrap();
        members.extend(changes.as_object().unwrap().clone());
        members.retain(|_, value| !value.is_null());
        claims
    }

    fn token(&self, changes: &Value) -> String {
        self.signer.token(&self.claims(changes))
    }

    async fn bears(&self, token: &str) -> Result<Principal> {
        self.world.authenticate(token).await
    }

    fn fetches(&self) -> u64 {
        self.world.authenticator.issuers().iter().map(|issuer| issuer.fetches).sum()
    }

    /// Waits until nothing is being fetched.
    async fn fetched(&self, times: u64) {
        while self.fetches() < times || self.server.hits() < times {
            tokio::task::yield_now().await;
        }
        // Joins the fetch that is under way, if it is.
        let _ = self.bears(&Signer::es256("joins").token(&self.claims(&json!({})))).await;
    }
}

fn kind(result: Result<Principal>) -> Kind {
    result.unwrap_err().kind()
}

#[tokio::test]
async fn a_good_token_opens_its_tenant_and_is_remembered() {
    let signers = [Signer::es256("e"), Signer::eddsa("d"), Signer::rs256("r")];
    let scene = Scene::with(|_, server| {
        let keys: Vec<_> = signers.iter().map(Signer::jwk).collect();
        server.says("/keys", Says::Document(set(&keys)));
    });
    for signer in &signers {
        let token = signer.token(&scene.claims(&json!({})));
        for _ in 0..2 {
            let principal = scene.bears(&token).await.unwrap();
            assert_eq!(principal.tenant().unwrap().label.as_str(), "acme");
            assert_eq!(principal.role(), Role::Agent);
            assert!(principal.key_id().as_str().starts_with("jwt-"));
            assert!(principal.check_scope(Action::MemoryWrite).is_ok());
        }
    }
    let counts = scene.world.stats.snapshot().auth;
    assert_eq!((counts.verified, counts.cached), (3, 3));
    assert_eq!(scene.fetches(), 1);
    let same = scene.signer.token(&scene.claims(&json!({"jti": "2"})));
    assert_eq!(kind(scene.bears(&same).await), Kind::Unauthenticated, "that key is not in the set");
}

#[tokio::test]
async fn i8_one_holder_has_one_id_and_nobody_else_has_it() {
    let scene = Scene::new();
    scene.world.tenant("globex");
    let mut ids = Vec::new();
    for claims in
        [json!({}), json!({"jti": "2"}), json!({"tenant": "globex"}), json!({"sub": "user-2"})]
    {
        ids.push(scene.bears(&scene.token(&claims)).await.unwrap().key_id().clone());
    }
    assert_eq!(ids[0], ids[1], "another token of the same holder");
    assert!(ids[2] != ids[0] && ids[3] != ids[0] && ids[2] != ids[3]);
}

#[tokio::test]
async fn i3_forged_tokens_are_refused() {
    let scene = Scene::new();
    let (claims, attacker) = (scene.claims(&json!({})), Signer::es256("one"));
    assert!(scene.bears(&scene.token(&json!({}))).await.is_ok());
    let good = scene.token(&json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let other = scene.token(&json!({"tenant": "globex"}));
    let (other_signed, _) = other.rsplit_once('.').unwrap();
    let forged = [
        attacker.token(&claims),
        attacker.token_with(&json!({"jku": "http://127.0.0.1/x"}), &claims),
        attacker.token_with(&json!({"jwk": attacker.jwk()}), &claims),
        scene.signer.token_with(&json!({"alg": "none"}), &claims),
        scene.signer.token_with(&json!({"alg": "HS256"}), &claims),
        scene.signer.token_with(&json!({"alg": "RS256"}), &claims),
        scene.signer.token_with(&json!({"kid": "../../dev/null"}), &claims),
        scene.signer.token_with(&json!({"kid": "spare"}), &claims),
        scene.signer.token_with(&json!({"crit": ["exp2"], "exp2": 1}), &claims),
        Signer::rs256("one").token(&claims),
        Signer::eddsa("one").token(&claims),
        format!("{signed}."),
        format!("{signed}.AAAA"),
        format!("{other_signed}.{signature}"),
        format!("{good}x"),
        good[..good.len() - 1].to_owned(),
    ];
    for token in forged {
        assert_eq!(kind(scene.bears(&token).await), Kind::Unauthenticated, "{token}");
    }
    for changes in [
        json!({"iss": format!("{ISSUER}/")}),
        json!({"aud": "https://other.example"}),
        json!({"aud": [AUDIENCE, "https://other.example"]}),
        json!({"exp": scene.now() - 6}),
        json!({"nbf": scene.now() + 3600}),
        json!({"iat": scene.now() + 3600}),
        json!({"exp": scene.now() + 100 * 365 * 86_400}),
        json!({"sub": null}),
        json!({"aud": null}),
        json!({"exp": null}),
    ] {
        let token = scene.token(&changes);
        assert_eq!(kind(scene.bears(&token).await), Kind::Unauthenticated, "{changes}");
    }
}

#[tokio::test]
async fn i3_a_bad_token_falls_through_to_nothing() {
    const KEY: &str = "eyabcdef.a-key-that-looks-like-a-token";
    let scene = Scene::with(|auth, _| {
        auth.environment_keys = vec![EnvironmentKey {
            tenant: Some(TenantLabel::parse("acme").unwrap()),
            role: Role::Agent,
            secret: Secret::new(KEY.to_owned()),
        }];
    });
    assert_eq!(kind(scene.bears(KEY).await), Kind::Unauthenticated);
    let (_, secret) = scene.world.key(scene.world.agent_key("acme"));
    assert!(scene.bears(secret.expose()).await.is_ok(), "keys of ours are no tokens");
    let request = parts(&[("x-api-key", &scene.token(&json!({})))]);
    let as_key = scene.world.authenticator.authenticate(&request, network()).await;
    assert_eq!(kind(as_key), Kind::Unauthenticated, "a token comes as Bearer only");
}

#[tokio::test]
async fn i4_a_good_token_that_opens_nothing_is_forbidden_in_one_sentence() {
    let scene = Scene::with(|auth, _| {
        let acme = TenantLabel::parse("acme").unwrap();
        auth.issuers[0].tenants = vec![acme, TenantLabel::parse("ada").unwrap()];
        let mapped = [("ada@example.com".to_owned(), TenantLabel::parse("ada").unwrap())];
        auth.issuers[0].tenant_map = mapped.into();
    });
    scene.world.tenant("globex");
    let mut sentences = Vec::new();
    for tenant in [
        json!("globex"),
        json!("nobody"),
        json!("../acme"),
        json!("ACME"),
        json!("ada"),
        json!(null),
    ] {
        let error = scene.bears(&scene.token(&json!({"tenant": tenant}))).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Forbidden, "{tenant}");
        sentences.push(error.public().to_owned());
    }
    sentences.dedup();
    assert_eq!(sentences.len(), 1);
    let ada = scene.bears(&scene.token(&json!({"tenant": "ada@example.com"}))).await.unwrap();
    assert_eq!(ada.tenant().unwrap().label.as_str(), "ada", "made on the start, as written");
}

#[tokio::test]
async fn a_tenant_is_made_for_a_token_only_where_that_is_set() {
    let closed = Scene::new();
    let fresh = json!({"tenant": "fresh"});
    assert_eq!(kind(closed.bears(&closed.token(&fresh)).await), Kind::Forbidden);
    let open = Scene::with(|auth, _| auth.issuers[0].create_tenants = true);
    let principal = open.bears(&open.token(&fresh)).await.unwrap();
    assert_eq!(
        principal.tenant(),
        open.world.registry.tenants.by_label(&TenantLabel::parse("fresh").unwrap()).as_ref()
    );
}

#[tokio::test]
async fn scopes_and_the_operators_role_follow_the_claims() {
    let scene = Scene::with(|auth, _| {
        auth.issuers[0].role_claim = Some("roles".to_owned());
        auth.issuers[0].operator_values = vec!["memgate-operator".to_owned()];
    });
    let reader = scene.bears(&scene.token(&json!({"scope": "memgate:read"}))).await.unwrap();
    assert!(reader.check_scope(Action::MemoryRead).is_ok());
    let lacks = |result: Result<()>| result.as_ref().map_err(Error::kind).err();
    assert_eq!(
        lacks(reader.check_scope(Action::MemoryWrite)),
        Some(Kind::ScopeMissing(Scope::Write))
    );
    let nothing = scene.bears(&scene.token(&json!({"scope": "openid"}))).await.unwrap();
    assert!(nothing.check_scope(Action::Connect).is_ok());
    assert!(nothing.check_scope(Action::MemoryRead).is_err());
    let roles = json!({"roles": ["memgate-operator"], "tenant": null});
    let operator = scene.bears(&scene.token(&roles)).await.unwrap();
    assert_eq!((operator.role(), operator.tenant()), (Role::Operator, None));
}

#[tokio::test]
async fn i9_what_hangs_on_a_token_ends_with_it() {
    let scene = Scene::new();
    let token = scene.token(&json!({"exp": scene.now() + 60}));
    let principal = scene.bears(&token).await.unwrap();
    let again = scene.bears(&token).await.unwrap();
    scene.world.advance(64);
    scene.world.authenticator.tend();
    assert!(!principal.gone().is_cancelled(), "within the leeway");
    assert!(scene.bears(&token).await.is_ok());
    scene.world.advance(1);
    scene.world.authenticator.tend();
    assert!(principal.gone().is_cancelled() && again.gone().is_cancelled());
    assert_eq!(kind(scene.bears(&token).await), Kind::Unauthenticated);
}

#[tokio::test]
async fn i9_a_key_that_leaves_the_set_takes_its_tokens_along() {
    let scene = Scene::new();
    let token = scene.token(&json!({"exp": scene.now() + 3600}));
    let principal = scene.bears(&token).await.unwrap();
    let next = Signer::es256("two");
    scene.server.says("/keys", Says::Document(set(&[next.jwk()])));
    scene.world.advance(15 * 60);
    scene.world.authenticator.tend();
    scene.fetched(2).await;
    scene.world.authenticator.tend();
    assert!(principal.gone().is_cancelled());
    assert_eq!(kind(scene.bears(&token).await), Kind::Unauthenticated);
    let after = next.token(&scene.claims(&json!({})));
    assert!(scene.bears(&after).await.is_ok());
}

#[tokio::test]
async fn unknown_key_ids_cause_one_fetch_a_minute() {
    let scene = Scene::new();
    assert!(scene.bears(&scene.token(&json!({}))).await.is_ok());
    let storm = async |from: u32| {
        for i in from..from + 100 {
            let stranger = Signer::es256(&format!("unknown-{i}"));
            let refused = scene.bears(&stranger.token(&scene.claims(&json!({})))).await;
            assert_eq!(kind(refused), Kind::Unauthenticated);
        }
        assert!(
            scene.bears(&scene.token(&json!({"jti": from}))).await.is_ok(),
            "good ones work on"
        );
    };
    storm(0).await;
    assert_eq!(scene.fetches(), 1, "the minute of the first fetch");
    scene.world.advance(60);
    storm(100).await;
    assert_eq!(scene.fetches(), 2);
    scene.world.advance(60);
    let known = Signer::es256("unknown-100").token(&scene.claims(&json!({})));
    assert_eq!(kind(scene.bears(&known).await), Kind::Unauthenticated);
    assert_eq!(scene.fetches(), 2, "it is remembered as unknown");
    let next = Signer::es256("two");
    scene.server.says("/keys", Says::Document(set(&[next.jwk(), scene.signer.jwk()])));
    assert!(
        scene.bears(&next.token(&scene.claims(&json!({})))).await.is_ok(),
        "a new key is found"
    );
    assert_eq!(scene.fetches(), 3);
}

#[tokio::test]
async fn i7_tokens_that_break_a_rule_fetch_nothing() {
    let scene = Scene::new();
    for changes in [
        json!({"iss": "https://evil.example"}),
        json!({"aud": "https://other.example"}),
        json!({"exp": scene.now() - 60}),
    ] {
        let _ = scene.bears(&scene.token(&changes)).await;
    }
    assert_eq!((scene.fetches(), scene.server.hits()), (0, 0));
}

#[tokio::test]
async fn a_fetch_that_is_slow_large_or_led_elsewhere_fails_and_the_last_good_keys_stay() {
    let trap = Server::start();
    trap.says("/keys", Says::Document(set(&[Signer::es256("evil").jwk()])));
    let scene = Scene::with(|auth, _| auth.issuers[0].timeout = Duration::from_millis(300));
    assert!(scene.bears(&scene.token(&json!({}))).await.is_ok());
    let good = set(&[Signer::es256("evil").jwk()]);
    let oct = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "one", "alg": "HS256"});
    let faults = [
        Says::Redirect(trap.url("/keys")),
        Says::Huge,
        Says::Silence,
        Says::Status(500, good.clone()),
        Says::Status(206, good),
        Says::Document(set(&[])),
        Says::Document(set(&[oct])),
        Says::Document(json!([])),
    ];
    let mut fetches = 1;
    for fault in faults {
        scene.server.says("/keys", fault.clone());
        scene.world.advance(60);
        let evil = Signer::es256(&format!("evil-{fetches}")).token(&scene.claims(&json!({})));
        assert_eq!(kind(scene.bears(&evil).await), Kind::Unauthenticated, "{fault:?}");
        fetches += 1;
        assert_eq!(scene.fetches(), fetches, "{fault:?}");
        assert!(scene.bears(&scene.token(&json!({"jti": fetches}))).await.is_ok(), "{fault:?}");
    }
    assert_eq!(trap.hits(), 0, "nobody is led anywhere");
    // And then they are too old, and nothing is accepted, remembered or not.
    let token = scene.token(&json!({"exp": scene.now() + 86_300}));
    let principal = scene.bears(&token).await.unwrap();
    scene.world.advance(24 * 3600 - 9 * 60 + 60);
    assert!(matches!(kind(scene.bears(&token).await), Kind::Overloaded { .. }));
    scene.world.authenticator.tend();
    assert!(principal.gone().is_cancelled());
}

#[tokio::test]
async fn without_keys_a_token_is_told_to_come_back() {
    let scene = Scene::with(|_, server| server.says("/keys", Says::Status(500, json!({}))));
    let token = scene.token(&json!({}));
    for _ in 0..3 {
        assert!(matches!(kind(scene.bears(&token).await), Kind::Overloaded { .. }));
    }
    assert_eq!(scene.fetches(), 1);
    scene.server.says("/keys", Says::Document(set(&[scene.signer.jwk()])));
    scene.world.advance(60);
    assert!(scene.bears(&token).await.is_ok());
}

#[tokio::test]
async fn many_requests_wait_for_one_fetch() {
    let scene = Scene::new();
    let tokens: Vec<_> = (0..40).map(|i| scene.token(&json!({"jti": i}))).collect();
    let all = futures::future::join_all(tokens.iter().map(|t| scene.bears(t))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!((scene.fetches(), scene.server.hits()), (1, 1));
}

#[tokio::test]
async fn discovery_leads_to_the_keys_of_that_issuer_only() {
    let server = Server::start();
    let signer = Signer::es256("one");
    let issuer = server.url("/realm");
    server.says("/keys", Says::Document(set(&[signer.jwk()])));
    let document =
        |name: &str, keys: &str| Says::Document(json!({"issuer": name, "jwks_uri": keys}));
    let path = "/realm/.well-known/openid-configuration";
    let scene = Scene::with(|auth, _| {
        let first = &mut auth.issuers[0];
        first.issuer.clone_from(&issuer);
        (first.jwks_url, first.discovery) = (None, true);
    });
    let token = |scene: &Scene| signer.token(&scene.claims(&json!({"iss": issuer})));
    for bad in [
        document("https://other.example", &server.url("/keys")),
        document(&issuer, "http://keys.example/keys"),
        document(&issuer, "file:///etc/passwd"),
        Says::Document(json!({"issuer": issuer})),
    ] {
        server.says(path, bad.clone());
        scene.world.advance(60);
        assert!(
            matches!(kind(scene.bears(&token(&scene)).await), Kind::Overloaded { .. }),
            "{bad:?}"
        );
    }
    server.says(path, document(&issuer, &server.url("/keys")));
    scene.world.advance(60);
    assert!(scene.bears(&token(&scene)).await.is_ok());
}

#[tokio::test]
async fn a_file_of_keys_is_read_at_the_start_and_at_a_reload() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys.json");
    let (one, two) = (Signer::eddsa("one"), Signer::eddsa("two"));
    std::fs::write(&file, set(&[one.jwk()]).to_string()).unwrap();
    let scene = Scene::with(|auth, _| {
        auth.issuers[0].jwks_url = None;
        auth.issuers[0].jwks_file = Some(file.clone());
    });
    let (old, new) = (one.token(&scene.claims(&json!({}))), two.token(&scene.claims(&json!({}))));
    let principal = scene.bears(&old).await.unwrap();
    assert!(scene.bears(&new).await.is_err());
    std::fs::write(&file, "{}").unwrap();
    scene.world.authenticator.reload();
    assert!(scene.bears(&old).await.is_ok(), "a broken file is not taken");
    std::fs::write(&file, set(&[two.jwk()]).to_string()).unwrap();
    scene.world.authenticator.reload();
    assert!(principal.gone().is_cancelled());
    assert!(scene.bears(&old).await.is_err() && scene.bears(&new).await.is_ok());
    assert_eq!(scene.server.hits(), 0);
}

#[tokio::test]
async fn i5_no_debug_output_shows_a_token() {
    let scene = Scene::new();
    let token = scene.token(&json!({}));
    let principal = scene.bears(&token).await.unwrap();
    let refused = scene.bears(&format!("{token}x")).await.unwrap_err();
    let authenticator: &Authenticator = &scene.world.authenticator;
    let shown = format!("{authenticator:?} {principal:?} {refused:?}");
    for part in token.split('.') {
        assert!(!shown.contains(part), "{shown}");
    }
}

/// Not a test of right or wrong: `cargo test --lib a_remembered_token_is_cheap -- --ignored
/// --nocapture` prints what one authentication with a remembered token takes.
#[tokio::test]
#[ignore = "a measurement, for a quiet machine"]
async fn a_remembered_token_is_cheap() {
    const ROUNDS: u32 = 200_000;
    let scene = Scene::new();
    let time = crate::domain::clock::SystemClock::new();
    for (what, pad) in [("small", 0), ("with 1500 bytes of groups", 1500)] {
        let token = scene.token(&json!({"groups": "g".repeat(pad)}));
        let request = parts(&[("authorization", &format!("Bearer {token}"))]);
        let first = time.monotonic();
        scene.world.authenticator.authenticate(&request, network()).await.unwrap();
        let start = time.monotonic();
        for _ in 0..ROUNDS {
            scene.world.authenticator.authenticate(&request, network()).await.unwrap();
        }
        let each = time.monotonic().saturating_sub(start) / ROUNDS;
        let first = start.saturating_sub(first);
        println!("{what} ({} bytes): {each:?} each, the first {first:?}", token.len());
    }
}
