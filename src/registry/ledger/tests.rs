//! The ledger: who has a session, who may not have one, and whether the numbers add up.

use std::{net::IpAddr, sync::Barrier, thread};

use super::*;
use crate::{
    domain::{client::ClientInfo, key::KeyId, random::OsEntropy},
    registry::{
        Registry,
        keyring::{Key, NewKey},
        testing::{Deployment, agent, now},
    },
};

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

fn key(registry: &Registry, tenant: &str) -> Arc<Key> {
    registry.keys.create(agent(registry, tenant)).unwrap().0
}

fn caller(key: &Arc<Key>, client: &str) -> Caller {
    Caller {
        proof: key.proofs().first().cloned(),
        key: Arc::clone(key),
        client: ClientInfo::new(client, "1"),
        protocol: "2026-07-28".to_owned(),
        address: address(1),
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T>) -> Kind {
    result.unwrap_err().kind()
}

#[test]
fn a_stateless_caller_has_one_entry_whose_numbers_add_up() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let (acme, ledger) = (key(&registry, "acme"), &registry.ledger);
    let first = ledger.enter(caller(&acme, "cursor")).unwrap();
    first.record(100, false);
    deployment.clock.advance(Duration::from_secs(5));
    let second = ledger.enter(caller(&acme, "cursor")).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    second.record(50, true);
    second.sent(7);
    let stream = second.stream();

    let elsewhere = Caller { address: address(2), ..caller(&acme, "cursor") };
    let older = Caller { protocol: "2025-11-25".to_owned(), ..caller(&acme, "cursor") };
    for other in
        [elsewhere, older, caller(&acme, "vscode"), caller(&key(&registry, "acme"), "cursor")]
    {
        deployment.clock.advance(Duration::from_secs(1));
        assert_ne!(ledger.enter(other).unwrap().id(), first.id());
    }

    let list = ledger.list();
    assert_eq!(list.len(), 5);
    let record = list.last().unwrap();
    assert_eq!((&record.id, &record.key), (first.id(), &acme.record.id));
    assert_eq!((record.tenant.as_str(), record.client.name.as_str()), ("acme", "cursor"));
    assert_eq!((record.calls, record.errors), (2, 1));
    assert_eq!((record.bytes_in, record.bytes_out, record.open_streams), (150, 7, 1));
    assert_eq!(record.last_seen.duration_since(record.first_seen).as_secs(), 5);
    drop(stream);
    assert_eq!(ledger.list().iter().map(|r| r.open_streams).sum::<u64>(), 0);
}

#[test]
fn i8_a_foreign_session_is_unknown() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let ledger = &registry.ledger;
    let (acme, second, globex) =
        (key(&registry, "acme"), key(&registry, "acme"), key(&registry, "globex"));
    let session = ledger.reserve(caller(&acme, "cursor")).unwrap().bind("protocol-id");

    let found = ledger.find(&acme.record.id, "protocol-id").unwrap();
    assert_eq!(found.id(), session.id());
    for foreign in [&second, &globex] {
        assert!(ledger.find(&foreign.record.id, "protocol-id").is_none());
    }
    for unknown in ["protocol-ie", "", session.id().as_str(), &"x".repeat(70_000)] {
        assert!(ledger.find(&acme.record.id, unknown).is_none());
    }
    session.close();
    assert!(session.ended().is_cancelled());
    assert!(ledger.find(&acme.record.id, "protocol-id").is_none());
    assert!(ledger.list().is_empty());
}

#[test]
fn the_caps_hold_for_a_tenant_and_overall() {
    let mut deployment = Deployment::new();
    deployment.limits.sessions_per_tenant = 3;
    deployment.limits.sessions = 5;
    let registry = deployment.start();
    let ledger = &registry.ledger;
    let (acme, globex) = (key(&registry, "acme"), key(&registry, "globex"));
    let mut acmes: Vec<_> = (0..3).map(|_| ledger.reserve(caller(&acme, "c")).unwrap()).collect();
    let full = |limit| Kind::LimitReached(Reached { limit, retry_after: FULL_RETRY });
    let limited = full(Limit::Places(AtOnce::Sessions, 3));
    assert_eq!(kind(ledger.reserve(caller(&acme, "c"))), limited);
    // Another key of the same tenant finds the same tenant full; another tenant does not (I11).
    assert_eq!(kind(ledger.reserve(caller(&key(&registry, "acme"), "c"))), limited);
    let _globexes: Vec<_> = (0..2).map(|_| ledger.reserve(caller(&globex, "c")).unwrap()).collect();
    let overall = full(Limit::Places(AtOnce::AllSessions, 5));
    assert_eq!(kind(ledger.reserve(caller(&globex, "c"))), overall);

    drop(acmes.pop());
    let session = ledger.reserve(caller(&acme, "c")).unwrap().bind("p1");
    assert_eq!(kind(ledger.reserve(caller(&acme, "c"))), limited, "bound, it still counts");
    session.close();
    session.close();
    let _one = ledger.reserve(caller(&acme, "c")).unwrap();
    assert_eq!(kind(ledger.reserve(caller(&acme, "c"))), limited, "closed twice, given back once");
}

#[test]
fn the_caps_hold_under_concurrency() {
    let mut deployment = Deployment::new();
    deployment.limits.sessions_per_tenant = 10;
    let registry = deployment.start();
    let (acme, ledger) = (key(&registry, "acme"), &registry.ledger);
    let start = Barrier::new(8);
    let bound: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|t| {
                let (start, acme) = (&start, &acme);
                scope.spawn(move || {
                    start.wait();
                    (0..50)
                        .filter_map(|i| Some((i, ledger.reserve(caller(acme, "c")).ok()?)))
                        .filter(|(i, _)| i % 2 == 0)
                        .map(|(i, place)| drop(place.bind(&format!("p-{t}-{i}"))))
                        .count()
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!((bound, ledger.list().len()), (10, 10));
    assert!(ledger.reserve(caller(&acme, "c")).is_err());
}

#[test]
fn an_ended_session_hears_of_it_and_its_caller_is_kept_out_for_a_time() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let (acme, ledger) = (key(&registry, "acme"), &registry.ledger);
    let stateless = ledger.enter(caller(&acme, "cursor")).unwrap();
    let protocol = ledger.reserve(caller(&acme, "vscode")).unwrap().bind("p1");
    stateless.record(1, false);
    let early = ledger.reserve(caller(&acme, "vscode")).unwrap();

    for (session, client) in [(&stateless, "cursor"), (&protocol, "vscode")] {
        let record = ledger.end(session.id()).unwrap();
        assert_eq!(record.client.name, client);
        assert!(session.ended().is_cancelled());
        assert!(ledger.end(session.id()).is_none(), "it is over");
        for again in [
            kind(ledger.enter(caller(&acme, client))),
            kind(ledger.reserve(caller(&acme, client))),
            // Another revision is no way around.
            kind(ledger.enter(Caller { protocol: "x".to_owned(), ..caller(&acme, client) })),
        ] {
            assert_eq!(again, Kind::Forbidden);
        }
    }
    assert!(ledger.find(&acme.record.id, "p1").is_none());
    assert!(early.bind("p2").ended().is_cancelled(), "reserved before, refused all the same");
    assert!(ledger.list().is_empty());

    // Nobody else is refused.
    let elsewhere = Caller { address: address(2), ..caller(&acme, "cursor") };
    let newer = Caller { client: ClientInfo::new("cursor", "2"), ..caller(&acme, "cursor") };
    for other in [elsewhere, newer, caller(&key(&registry, "acme"), "cursor")] {
        ledger.enter(other).unwrap();
    }

    deployment.clock.advance(deployment.limits.ended_for.saturating_sub(Duration::from_secs(1)));
    ledger.sweep().unwrap();
    let refused = ledger.enter(caller(&acme, "cursor")).unwrap_err();
    assert!(refused.public().starts_with("this session was ended by an operator;"), "{refused}");
    deployment.clock.advance(Duration::from_secs(1));
    ledger.enter(caller(&acme, "cursor")).unwrap();
}

#[test]
fn i9_a_renewed_credential_outlives_the_old_one() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let record = key(&registry, "acme").record.clone();
    let [old, new] = [record.clone(), record].map(|record| Arc::new(Key::unlisted(record)));
    let ledger = &registry.ledger;
    let under_way = ledger.enter(caller(&old, "cursor")).unwrap();
    let renewed = ledger.enter(caller(&new, "cursor")).unwrap();
    old.gone.cancel();
    assert!(under_way.ended().is_cancelled());
    assert!(!renewed.ended().is_cancelled());
    ledger.sweep().unwrap();
    let again = ledger.enter(caller(&new, "cursor")).unwrap();
    assert_eq!(again.id(), renewed.id());
    assert_eq!(ledger.list().len(), 1);
    // Whom an operator ends is kept out with every credential of that id.
    ledger.end(again.id()).unwrap();
    assert_eq!(kind(ledger.enter(caller(&new, "cursor"))), Kind::Forbidden);
}

#[test]
fn who_is_ended_is_kept_out_where_it_is_now() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let (acme, ledger) = (key(&registry, "acme"), &registry.ledger);
    let session = ledger.reserve(caller(&acme, "phone")).unwrap().bind("p1");
    session.seen_from(address(2));
    assert_eq!(ledger.end(session.id()).unwrap().address, address(2));
    let there = Caller { address: address(2), ..caller(&acme, "phone") };
    assert_eq!(kind(ledger.reserve(there)), Kind::Forbidden);
}

#[test]
fn i9_a_session_ends_with_its_key() {
    let mut deployment = Deployment::new();
    deployment.limits.sessions_per_tenant = 1;
    let registry = deployment.start();
    let (acme, ledger) = (key(&registry, "acme"), &registry.ledger);
    let stateless = ledger.enter(caller(&acme, "c")).unwrap();
    let protocol = ledger.reserve(caller(&acme, "c")).unwrap().bind("p1");
    registry.keys.revoke(&acme.record.id).unwrap();
    assert!(stateless.ended().is_cancelled() && protocol.ended().is_cancelled());
    assert!(ledger.find(&acme.record.id, "p1").is_none());
    assert!(ledger.list().is_empty());
    assert_eq!(kind(ledger.enter(caller(&acme, "c"))), Kind::Unauthenticated);
    assert_eq!(kind(ledger.reserve(caller(&acme, "c"))), Kind::Unauthenticated);
    // Its place is free at once, not at the next sweep.
    ledger.reserve(caller(&key(&registry, "acme"), "c")).unwrap();
}

#[test]
fn an_idle_session_ends_and_one_with_an_open_stream_does_not() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let (acme, ledger) = (key(&registry, "acme"), &registry.ledger);
    let idle = ledger.enter(caller(&acme, "idle")).unwrap();
    let used = ledger.reserve(caller(&acme, "used")).unwrap().bind("p1");
    let streaming = ledger.enter(caller(&acme, "streaming")).unwrap();
    let stream = streaming.stream();
    deployment.clock.advance(deployment.limits.session_idle.saturating_sub(Duration::from_secs(1)));
    ledger.sweep().unwrap();
    assert_eq!(ledger.list().len(), 3);
    ledger.find(&acme.record.id, "p1").unwrap();
    deployment.clock.advance(Duration::from_secs(1));
    ledger.sweep().unwrap();
    assert!(idle.ended().is_cancelled());
    assert!(!used.ended().is_cancelled() && !streaming.ended().is_cancelled());

    drop(stream);
    deployment.clock.advance(deployment.limits.session_idle);
    ledger.sweep().unwrap();
    assert!(streaming.ended().is_cancelled() && ledger.list().is_empty());
    // Idle is not forbidden.
    ledger.enter(caller(&acme, "idle")).unwrap();
}

#[test]
fn i11_a_client_with_ever_new_names_displaces_only_its_own_tenants_entries() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let ledger = &registry.ledger;
    let (acme, globex) = (key(&registry, "acme"), key(&registry, "globex"));
    let other = ledger.enter(caller(&globex, "quiet")).unwrap();
    let streaming = ledger.enter(caller(&acme, "streaming")).unwrap();
    let _stream = streaming.stream();
    let working = ledger.enter(caller(&key(&registry, "acme"), "working")).unwrap();
    for i in 0..2_000 {
        deployment.clock.advance(Duration::from_millis(1));
        ledger.enter(caller(&acme, &format!("name-{i}"))).unwrap();
    }
    let list = ledger.list();
    assert!(list.len() <= 257, "{}", list.len());
    assert!(!other.ended().is_cancelled() && !streaming.ended().is_cancelled());
    assert!(!working.ended().is_cancelled(), "another key's request was cut off");
    assert_eq!(list[0].client.name, "name-1999", "the newest stay");
}

#[test]
fn totals_survive_a_restart_and_say_since_when_they_count() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let since = registry.ledger.totals().counted_since;
    let acme = key(&registry, "acme");
    let session = registry.ledger.enter(caller(&acme, "c")).unwrap();
    session.record(10, false);
    session.sent(3);
    let writes = deployment.disk.writes();
    for _ in 0..25 {
        deployment.clock.advance(Duration::from_secs(1));
        registry.ledger.sweep().unwrap();
    }
    assert_eq!(deployment.disk.writes(), writes + 1, "in batches, and only news");

    session.record(10, true);
    deployment.disk.set_broken(true);
    assert!(registry.ledger.save().is_err());
    deployment.disk.set_broken(false);
    registry.ledger.end(session.id()).unwrap();
    registry.ledger.save().unwrap();

    deployment.clock.advance(Duration::from_hours(1));
    let totals = deployment.start().ledger.totals();
    let expected = Totals {
        counted_since: since,
        sessions: 1,
        calls: 2,
        errors: 1,
        bytes_in: 20,
        bytes_out: 3,
    };
    assert_eq!(totals, expected);
    assert!(deployment.start().ledger.list().is_empty(), "sessions themselves do not survive");
}

#[test]
fn an_operator_key_has_no_session() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let new = NewKey {
        role: crate::domain::key::Role::Operator,
        tenant: None,
        ..agent(&registry, "acme")
    };
    let operator = registry.keys.create(new).unwrap().0;
    assert_eq!(kind(registry.ledger.enter(caller(&operator, "c"))), Kind::Forbidden);
    assert_eq!(kind(registry.ledger.reserve(caller(&operator, "c"))), Kind::Forbidden);
    assert!(registry.ledger.end(&SessionId::random(&OsEntropy)).is_none());
    assert!(registry.ledger.find(&KeyId::random(&OsEntropy), "p1").is_none());
}

#[test]
fn i9_a_session_ends_with_its_secret() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let (first, _) = registry.keys.create(agent(&registry, "acme")).unwrap();
    let hour = Duration::from_hours(1);
    let stateless = registry.ledger.enter(caller(&first, "stays")).unwrap();
    let [stays, moves] =
        ["p1", "p2"].map(|id| registry.ledger.reserve(caller(&first, id)).unwrap().bind(id));
    let streams = [stateless.stream(), stays.stream(), moves.stream()];
    let (second, _) = registry.keys.rotate(&first.record.id, hour).unwrap().unwrap();
    let renewed = registry.ledger.enter(caller(&second, "stays")).unwrap();
    assert_ne!(renewed.id(), stateless.id(), "each secret has entries of its own");
    // A client that has gone over takes its session along, and an old request not back.
    let [new, old] = [&second, &first].map(|key| key.proofs().first());
    moves.presented(new);
    moves.presented(old);
    stays.presented(old);
    deployment.clock.advance(Duration::from_mins(59));
    registry.sweep().unwrap();
    assert!([&stateless, &stays, &moves].iter().all(|s| !s.ended().is_cancelled()));
    deployment.clock.advance(Duration::from_mins(1));
    registry.sweep().unwrap();
    assert!(stateless.ended().is_cancelled() && stays.ended().is_cancelled());
    assert!(!moves.ended().is_cancelled());
    assert!(registry.ledger.find(&first.record.id, "p1").is_none());
    assert!(registry.ledger.find(&first.record.id, "p2").is_some());
    registry.keys.revoke(&first.record.id).unwrap();
    assert!(moves.ended().is_cancelled(), "revoking ends both");
    drop(streams);
}

#[test]
fn i9_a_session_ends_with_its_keys_hours() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    // The clock shows noon of a Saturday.
    let bounds = serde_json::from_str(r#"{"hours":"sat 08:00-13:00 UTC"}"#).unwrap();
    let new = NewKey { bounds, ..agent(&registry, "acme") };
    let (key, _) = registry.keys.create(new).unwrap();
    let session = registry.ledger.reserve(caller(&key, "c")).unwrap().bind("p1");
    let stream = session.stream();
    deployment.clock.advance(Duration::from_mins(59));
    registry.sweep().unwrap();
    assert!(!session.ended().is_cancelled());
    deployment.clock.advance(Duration::from_mins(1));
    registry.sweep().unwrap();
    assert!(session.ended().is_cancelled() && !key.gone.is_cancelled());
    drop(stream);
    deployment.clock.advance(Duration::from_hours(24 * 7 - 2));
    assert!(registry.ledger.enter(caller(&key, "c")).is_ok(), "next Saturday it works");
}

#[test]
fn the_client_of_a_session_is_what_its_key_was_used_by() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let (key, _) = registry.keys.create(agent(&registry, "acme")).unwrap();
    key.mark_used(now(&deployment), address(1));
    registry.ledger.enter(caller(&key, "cursor")).unwrap();
    assert_eq!(key.last_use().unwrap().client.as_deref(), Some("cursor"));
    let _session = registry.ledger.reserve(caller(&key, "claude")).unwrap().bind("p1");
    assert_eq!(key.last_use().unwrap().client.as_deref(), Some("claude"));
    registry.ledger.enter(caller(&key, "cursor")).unwrap();
    assert_eq!(key.last_use().unwrap().client.as_deref(), Some("cursor"));
}
