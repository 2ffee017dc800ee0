//! The authenticator as a whole: who gets in, who does not, and what it costs.

use std::time::Duration;

use futures::future::join_all;

use super::{
    testing::{World, network, parts},
    *,
};
use crate::{
    config::auth::EnvironmentKey,
    domain::{
        key::{PresentedKey, Role},
        limits::{Limit, Rate, Reached},
        random::OsEntropy,
        secret::Secret,
        tenant::TenantLabel,
    },
};

fn environment(tenant: Option<&str>, secret: &str) -> EnvironmentKey {
    EnvironmentKey {
        tenant: tenant.map(|label| TenantLabel::parse(label).unwrap()),
        role: if tenant.is_some() { Role::Agent } else { Role::Operator },
        secret: Secret::new(secret.to_owned()),
    }
}

fn plenty(settings: &mut config::Settings) {
    settings.limits.failures = Rate::new(1_000_000, 60);
}

fn kind(result: Result<Principal>) -> Kind {
    result.unwrap_err().kind()
}

#[tokio::test]
async fn a_made_key_opens_its_tenant_with_either_header() {
    let world = World::new();
    let (key, secret) = world.key(world.agent_key("acme"));
    for headers in [
        ("authorization", format!("Bearer {}", secret.expose())),
        ("x-api-key", secret.expose().to_owned()),
    ] {
        let parts = parts(&[(headers.0, &headers.1)]);
        let principal = world.authenticator.authenticate(&parts, network()).await.unwrap();
        assert_eq!(principal.tenant().unwrap().label.as_str(), "acme");
        assert_eq!(principal.key_id(), &key.record.id);
        assert_eq!(principal.role(), Role::Agent);
    }
    assert_eq!(world.authenticator.argon2_runs(), 1, "the second time it is remembered");
    let last = key.last_use().unwrap();
    assert_eq!((last.at, last.address), (world.clock.now(), Some(network().address)));
    assert_eq!(world.operator().await.tenant(), None);
}

#[tokio::test]
async fn a_key_is_known_again_after_a_restart() {
    let world = World::new();
    let (_, secret) = world.key(world.agent_key("acme"));
    let after = world.restarted();
    let request = parts(&[("x-api-key", secret.expose())]);
    let principal = after.authenticate(&request, network()).await.unwrap();
    assert_eq!(principal.tenant(), Some(&world.tenant("acme")));
    assert_eq!(after.argon2_runs(), 1);
}

#[tokio::test]
async fn every_outcome_is_counted_once() {
    let world = World::with(|s| s.limits.failures = Rate::new(1, 60));
    let (_, secret) = world.key(world.agent_key("acme"));
    world.authenticate(secret.expose()).await.unwrap();
    world.authenticate(secret.expose()).await.unwrap();
    let none = parts(&[]);
    assert!(world.authenticator.authenticate(&none, network()).await.is_err());
    let two = parts(&[("x-api-key", "a"), ("authorization", "Bearer a")]);
    assert!(world.authenticator.authenticate(&two, network()).await.is_err());
    assert_eq!(kind(world.authenticate("bad").await), Kind::Unauthenticated);
    assert!(matches!(kind(world.authenticate("bad").await), Kind::LimitReached { .. }));
    let counts = world.stats.snapshot().auth;
    assert_eq!((counts.verified, counts.cached), (1, 1));
    assert_eq!((counts.missing, counts.rejected), (1, 3));
}

#[tokio::test]
async fn a_session_is_opened_in_the_principals_own_name() {
    let world = World::new();
    let principal = world.agent("acme").await;
    let client = crate::domain::client::ClientInfo::new("cursor", "1");
    let caller = principal.caller(client, "2026-07-28".to_owned(), network().address);
    let session = world.registry.ledger.enter(caller).unwrap();
    assert_eq!(Some(session.tenant()), principal.tenant());
    assert_eq!(&world.registry.ledger.list()[0].key, principal.key_id());
}

#[tokio::test]
async fn i1_look_alike_headers_change_nothing() {
    let world = World::new();
    world.tenant("globex");
    let (_, secret) = world.key(world.agent_key("acme"));
    let bearer = format!("Bearer {}", secret.expose());
    for (name, value) in [
        ("x-tenant", "globex"),
        ("x-tenant-id", "globex"),
        ("tenant", "globex"),
        ("x-user-id", "globex"),
        ("x-memgate-tenant", "globex"),
        ("mcp-session-id", "globex"),
        ("x-forwarded-user", "globex"),
        ("x-original-authorization", "Bearer globex"),
        ("proxy-authorization", "Bearer globex"),
        ("cookie", "tenant=globex; authorization=globex"),
    ] {
        let parts = parts(&[("authorization", &bearer), (name, value)]);
        let principal = world.authenticator.authenticate(&parts, network()).await.unwrap();
        assert_eq!(principal.tenant().unwrap().label.as_str(), "acme", "{name}");
        let alone = testing::parts(&[(name, value)]);
        let refused = world.authenticator.authenticate(&alone, network()).await;
        assert_eq!(kind(refused), Kind::Unauthenticated, "{name}");
    }
}

#[tokio::test]
async fn every_bad_credential_gets_the_same_answer() {
    let world = World::with(plenty);
    let (key, secret) = world.key(world.agent_key("acme"));
    let (_, other) = world.key(world.agent_key("acme"));
    let good = secret.expose();
    let foreign = PresentedKey {
        id: key.record.id.clone(),
        secret: PresentedKey::parse(other.expose()).unwrap().secret,
    };
    let cases = [
        PresentedKey::random(&OsEntropy).reveal().expose().to_owned(),
        foreign.reveal().expose().to_owned(),
        format!("{good}x"),
        good[..good.len() / 2].to_owned(),
        good.to_uppercase(),
        format!("{good}, {good}"),
        "change-me".to_owned(),
        "mg_".to_owned(),
        "A".repeat(100_000),
    ];
    for case in &cases {
        for (name, value) in
            [("authorization", format!("Bearer {case}")), ("x-api-key", case.clone())]
        {
            let parts = parts(&[(name, &value)]);
            let error = world.authenticator.authenticate(&parts, network()).await.unwrap_err();
            assert_eq!((error.kind(), error.public()), (Kind::Unauthenticated, "unauthorized"));
        }
    }
    for headers in [&[][..], &[("authorization", "Digest a=\"b\"")], &[("cookie", good)]] {
        let error = world.authenticator.authenticate(&parts(headers), network()).await.unwrap_err();
        assert_eq!((error.kind(), error.public()), (Kind::Unauthenticated, "unauthorized"));
    }
}

#[tokio::test]
async fn i3_a_rejected_credential_falls_through_to_nobody() {
    let world = World::with(|s| s.auth.disabled = true);
    let anybody = world.authenticator.authenticate(&parts(&[]), network()).await.unwrap();
    assert_eq!(anybody.tenant().unwrap().label.as_str(), "default");
    assert_eq!((anybody.role(), anybody.key_id().as_str()), (Role::Agent, "env-open"));
    // Even then, an ambiguous request is refused.
    let two = parts(&[("x-api-key", "a"), ("x-api-key", "b")]);
    assert_eq!(kind(world.authenticator.authenticate(&two, network()).await), Kind::BadInput);

    // A list in which `api_key` stands before `open` still refuses a bad key.
    let (authenticator, strict) = (&world.authenticator, World::new());
    let schemes = [&strict.authenticator.schemes[1], &authenticator.schemes[1]];
    let both = Authenticator {
        certificates: None,
        tokens: None,
        schemes: schemes.map(Arc::clone).to_vec(),
        verifier: Arc::clone(&authenticator.verifier),
        rates: Arc::clone(&authenticator.rates),
        stats: Arc::clone(&authenticator.stats),
        clock: Arc::clone(&authenticator.clock),
    };
    assert!(both.authenticate(&parts(&[]), network()).await.is_ok());
    let bad = parts(&[("x-api-key", "bad")]);
    assert_eq!(kind(both.authenticate(&bad, network()).await), Kind::Unauthenticated);
}

#[tokio::test]
async fn the_control_socket_is_an_operator_and_the_network_is_not() {
    let world = World::new();
    let socket = Origin { via: Via::ControlSocket, ..network() };
    let local = world.authenticator.authenticate(&parts(&[]), socket).await.unwrap();
    assert_eq!((local.role(), local.key_id().as_str()), (Role::Operator, "env-local"));
    assert_eq!(local.tenant(), None);
    let refused = world.authenticator.authenticate(&parts(&[]), network()).await;
    assert_eq!(kind(refused), Kind::Unauthenticated);
}

#[tokio::test]
async fn environment_keys_work_and_cannot_be_revoked() {
    let world = World::with(|s| {
        s.auth.environment_keys = vec![
            environment(Some("acme"), "0123456789abcdef"),
            environment(Some("acme"), "fedcba9876543210"),
            environment(None, "operator-operator-1"),
        ];
    });
    let first = world.authenticate("0123456789abcdef").await.unwrap();
    let second = world.authenticate("fedcba9876543210").await.unwrap();
    assert_eq!(first.key_id().as_str(), "env-acme");
    assert_eq!(second.key_id().as_str(), "env-acme-2");
    assert_eq!(first.tenant(), second.tenant());
    assert_eq!(first.tenant().unwrap(), &world.tenant("acme"));
    let operator = world.authenticate("operator-operator-1").await.unwrap();
    assert_eq!((operator.role(), operator.tenant()), (Role::Operator, None));
    assert_eq!(kind(world.authenticate("0123456789abcdeF").await), Kind::Unauthenticated);
    assert_eq!(world.authenticator.argon2_runs(), 0);

    let refused = world.registry.keys.revoke(first.key_id()).unwrap_err();
    assert_eq!(refused.kind(), Kind::Conflict);
    assert!(world.authenticate("0123456789abcdef").await.is_ok());
}

#[tokio::test]
async fn i7_unknown_keys_never_reach_argon2() {
    let world = World::with(plenty);
    let (key, _) = world.key(world.agent_key("acme"));
    for _ in 0..2_000 {
        let unknown = PresentedKey::random(&OsEntropy).reveal();
        assert_eq!(kind(world.authenticate(unknown.expose()).await), Kind::Unauthenticated);
    }
    assert_eq!(world.authenticator.argon2_runs(), 0);
    let mut guesses_past_the_tag = 0;
    for _ in 0..500 {
        let guess = PresentedKey { id: key.record.id.clone(), ..PresentedKey::random(&OsEntropy) };
        let secret = guess.reveal();
        let before = world.authenticator.argon2_runs();
        assert_eq!(kind(world.authenticate(secret.expose()).await), Kind::Unauthenticated);
        if world.authenticator.argon2_runs() > before {
            guesses_past_the_tag += 1;
            // Sent again, it is known to be wrong.
            let _ = world.authenticate(secret.expose()).await;
            assert_eq!(world.authenticator.argon2_runs(), before + 1);
        }
    }
    assert!(guesses_past_the_tag <= 2, "{guesses_past_the_tag} of 500 passed a 16-bit tag");
}

#[tokio::test]
async fn many_requests_with_one_new_key_cost_one_argon2() {
    let world = World::new();
    let (_, secret) = world.key(world.agent_key("acme"));
    let results = join_all((0..50).map(|_| world.authenticate(secret.expose()))).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(world.authenticator.argon2_runs(), 1);
}

#[tokio::test]
async fn more_new_keys_than_the_queue_holds_are_told_to_come_back() {
    let world = World::with(|s| {
        s.auth.verifier_permits = 1;
        s.auth.verifier_queue = 1;
    });
    let secrets: Vec<_> = (0..4).map(|_| world.key(world.agent_key("acme")).1).collect();
    let results = join_all(secrets.iter().map(|s| world.authenticate(s.expose()))).await;
    let full = results
        .iter()
        .filter(|r| matches!(r, Err(e) if matches!(e.kind(), Kind::Overloaded { .. })));
    assert_eq!(full.count(), 2, "one runs, one waits");
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 2);
    for secret in &secrets {
        assert!(world.authenticate(secret.expose()).await.is_ok(), "nothing is held against them");
    }
}

#[tokio::test]
async fn i9_a_revoked_key_is_refused_on_the_next_request() {
    let world = World::new();
    let (key, secret) = world.key(world.agent_key("acme"));
    let principal = world.authenticate(secret.expose()).await.unwrap();
    assert!(!principal.gone().is_cancelled());
    assert!(world.registry.keys.revoke(&key.record.id).unwrap());
    assert_eq!(kind(world.authenticate(secret.expose()).await), Kind::Unauthenticated);
    assert!(principal.gone().is_cancelled(), "what the key has open hears of it");
    let runs = world.authenticator.argon2_runs();
    let _ = world.authenticate(secret.expose()).await;
    assert_eq!(world.authenticator.argon2_runs(), runs, "a revoked key costs no argon2");
}

#[tokio::test]
async fn i9_a_key_revoked_while_it_is_verified_is_refused() {
    let world = World::new();
    let (key, secret) = world.key(world.agent_key("acme"));
    let (keys, id) = (Arc::clone(&world.registry.keys), key.record.id.clone());
    world.authenticator.verifier.between.set(move || assert!(keys.revoke(&id).unwrap()));
    assert_eq!(kind(world.authenticate(secret.expose()).await), Kind::Unauthenticated);
    assert_eq!(world.authenticator.argon2_runs(), 1, "it did come as far as that");
    assert_eq!(kind(world.authenticate(secret.expose()).await), Kind::Unauthenticated);
}

#[tokio::test]
async fn i9_an_expired_key_is_refused_at_once() {
    let world = World::new();
    let mut new = world.agent_key("acme");
    new.expires_at = Some(world.clock.now() + Duration::from_mins(1));
    let (_, secret) = world.key(new);
    let principal = world.authenticate(secret.expose()).await.unwrap();
    world.advance(59);
    assert!(world.authenticate(secret.expose()).await.is_ok());
    world.advance(1);
    assert_eq!(kind(world.authenticate(secret.expose()).await), Kind::Unauthenticated);
    assert!(principal.gone().is_cancelled());
}

/// A key with these bounds, and its text.
fn bounded(world: &World, bounds: &str) -> (Arc<crate::registry::keyring::Key>, Secret) {
    let mut new = world.agent_key("acme");
    new.bounds = serde_json::from_str(bounds).unwrap();
    world.key(new)
}

#[tokio::test]
async fn i4_a_key_outside_its_bounds_is_a_wrong_one() {
    let world = World::with(plenty);
    let from = |address: &str| Origin { address: address.parse().unwrap(), ..network() };
    let near = bounded(&world, r#"{"from":["10.0.0.0/8"]}"#);
    // The clock of this world shows a Saturday.
    let week = bounded(&world, r#"{"hours":"mon-fri 00:00-24:00 UTC"}"#);
    let ask = async |secret: &Secret, origin: Origin<'_>| {
        let request = parts(&[("x-api-key", secret.expose())]);
        world.authenticator.authenticate(&request, origin).await.map(drop)
    };
    for remembered in [false, true] {
        assert!(ask(&near.1, from("10.1.2.3")).await.is_ok());
        assert!(ask(&near.1, from("::ffff:10.1.2.3")).await.is_ok());
        for (secret, origin) in [(&near.1, from("192.0.2.1")), (&week.1, from("10.1.2.3"))] {
            let refused = ask(secret, origin).await.unwrap_err();
            let wrong = (Kind::Unauthenticated, "unauthorized");
            assert_eq!((refused.kind(), refused.public()), wrong, "remembered: {remembered}");
        }
    }
    assert_eq!(week.0.last_use(), None, "a use that was refused is none");
    assert_eq!(near.0.last_use().unwrap().address, Some(from("::ffff:10.1.2.3").address));
    world.advance(24 * 3600 * 2);
    assert!(ask(&week.1, from("192.0.2.1")).await.is_ok(), "on Monday it works");
}

#[tokio::test]
async fn i9_an_old_secret_is_refused_on_the_next_request_and_the_new_one_never() {
    let world = World::with(plenty);
    let (key, old) = world.key(world.agent_key("acme"));
    world.authenticate(old.expose()).await.unwrap();
    let hour = Duration::from_hours(1);
    let (_, new) = world.registry.keys.rotate(&key.record.id, hour).unwrap().unwrap();
    for _ in 0..3 {
        assert!(world.authenticate(old.expose()).await.is_ok());
        assert!(world.authenticate(new.expose()).await.is_ok());
    }
    assert_eq!(world.authenticator.argon2_runs(), 2, "both are remembered at once");
    world.advance(3599);
    assert!(world.authenticate(old.expose()).await.is_ok());
    world.advance(1);
    assert_eq!(kind(world.authenticate(old.expose()).await), Kind::Unauthenticated);
    assert!(world.authenticate(new.expose()).await.is_ok());
    let runs = world.authenticator.argon2_runs();
    assert_eq!(kind(world.authenticate(old.expose()).await), Kind::Unauthenticated);
    assert_eq!(world.authenticator.argon2_runs(), runs, "a secret that is over costs no argon2");

    // At once, through what is remembered.
    let (_, newer) = world.registry.keys.rotate(&key.record.id, Duration::ZERO).unwrap().unwrap();
    assert_eq!(kind(world.authenticate(new.expose()).await), Kind::Unauthenticated);
    let principal = world.authenticate(newer.expose()).await.unwrap();
    assert!(world.registry.keys.revoke(&key.record.id).unwrap());
    assert!(principal.gone().is_cancelled());
    for secret in [&old, &new, &newer] {
        assert_eq!(kind(world.authenticate(secret.expose()).await), Kind::Unauthenticated);
    }
}

#[tokio::test]
async fn i9_a_secret_that_ends_while_it_is_verified_is_refused() {
    let world = World::new();
    let (key, secret) = world.key(world.agent_key("acme"));
    let (keys, id) = (Arc::clone(&world.registry.keys), key.record.id.clone());
    world.authenticator.verifier.between.set(move || {
        keys.rotate(&id, Duration::ZERO).unwrap().unwrap();
    });
    assert_eq!(kind(world.authenticate(secret.expose()).await), Kind::Unauthenticated);
    assert_eq!(world.authenticator.argon2_runs(), 1, "it did come as far as that");
    assert_eq!(kind(world.authenticate(secret.expose()).await), Kind::Unauthenticated);
}

#[tokio::test]
async fn a_remembered_key_is_forgotten_after_its_time() {
    let world = World::with(|s| s.auth.cache_ttl = Duration::from_secs(10));
    let (_, secret) = world.key(world.agent_key("acme"));
    for (wait, runs) in [(0, 1), (9, 1), (1, 2), (9, 2)] {
        world.advance(wait);
        assert!(world.authenticate(secret.expose()).await.is_ok());
        assert_eq!(world.authenticator.argon2_runs(), runs, "after {wait} s more");
    }
}

#[tokio::test]
async fn bad_keys_are_limited_and_the_good_one_beside_them_is_not() {
    let world = World::with(|s| s.limits.failures = Rate::new(3, 60));
    let (key, secret) = world.key(world.agent_key("acme"));
    let guess = || PresentedKey { id: key.record.id.clone(), ..PresentedKey::random(&OsEntropy) };
    for _ in 0..3 {
        let refused = world.authenticate(guess().reveal().expose()).await;
        assert_eq!(kind(refused), Kind::Unauthenticated);
    }
    let limited = world.authenticate(guess().reveal().expose()).await.unwrap_err();
    let Kind::LimitReached(Reached { limit, retry_after }) = limited.kind() else {
        panic!("{limited:?}")
    };
    assert_eq!(limit, Limit::Rate(Class::Failures, Rate::new(3, 60)));
    assert!(Duration::ZERO < retry_after && retry_after <= Duration::from_secs(20));
    // Same address, same key id, first use: it still works.
    assert!(world.authenticate(secret.expose()).await.is_ok());
    assert_eq!(world.authenticator.argon2_runs(), 1);
    world.advance(20);
    let refused = world.authenticate(guess().reveal().expose()).await;
    assert_eq!(kind(refused), Kind::Unauthenticated, "one came back");
}

#[tokio::test]
async fn i5_no_debug_output_shows_a_secret() {
    let world = World::with(|s| {
        s.auth.environment_keys = vec![environment(Some("globex"), "planted-environment-key")];
    });
    let (key, secret) = world.key(world.agent_key("acme"));
    let principal = world.authenticate(secret.expose()).await.unwrap();
    let request = parts(&[("x-api-key", secret.expose())]);
    let credential = Credential::find(&request.headers, &request.uri).unwrap();
    let whole = PresentedKey::parse(secret.expose()).unwrap();
    let session = principal.caller(
        crate::domain::client::ClientInfo::default(),
        "p".into(),
        network().address,
    );
    let ledger = &world.registry.ledger;
    let bound = ledger.reserve(session.clone()).unwrap().bind("planted-protocol-id");
    let refused = world.authenticate("mg_planted").await.unwrap_err();
    let flight = world.authenticator.verifier.join(world.registry.keys.fingerprint("planted"));
    let shown = format!(
        "{world:?} {key:?} {principal:?} {credential:?} {whole:?} {session:?} {bound:?} {flight:?}
         {refused:?} {refused} {:?} {:?}",
        world.registry.keys.list(),
        ledger.list(),
    );
    let hash = key.proofs()[0].to_store().1.to_owned();
    for planted in ["planted", whole.secret.expose(), secret.expose(), &hash, "argon2id"] {
        assert!(!shown.contains(planted), "{planted} in {shown}");
    }
    assert!(shown.contains(key.record.id.as_str()), "the public id is for lists and logs");
}

/// Not a test of right or wrong: `cargo test --lib a_remembered_key_is_cheap -- --ignored
/// --nocapture` prints what one authentication with a remembered key takes.
#[tokio::test]
#[ignore = "a measurement, for a quiet machine"]
async fn a_remembered_key_is_cheap() {
    const ROUNDS: u32 = 200_000;
    let world = World::with(|s| {
        s.auth.environment_keys = vec![environment(Some("globex"), "planted-environment-key")];
    });
    let (_, secret) = world.key(world.agent_key("acme"));
    let time = crate::domain::clock::SystemClock::new();
    for (what, text) in [("made", secret.expose()), ("environment", "planted-environment-key")] {
        let request = parts(&[("authorization", &format!("Bearer {text}"))]);
        world.authenticator.authenticate(&request, network()).await.unwrap();
        let start = time.monotonic();
        for _ in 0..ROUNDS {
            world.authenticator.authenticate(&request, network()).await.unwrap();
        }
        println!("{what}: {:?} each", time.monotonic().saturating_sub(start) / ROUNDS);
    }
}
