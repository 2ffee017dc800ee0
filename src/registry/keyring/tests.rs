//! Keys over their whole life, restarts and a broken disk included.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use super::*;
use crate::registry::testing::{Deployment, agent, now};

#[test]
fn a_key_is_there_after_a_restart_and_its_text_is_nowhere() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let new = NewKey {
        packs: Some(Packs::default()),
        act_as: vec![TenantLabel::parse("globex").unwrap()],
        ..agent(&registry, "acme")
    };
    let (key, secret) = registry.keys.create(new).unwrap();
    let presented = PresentedKey::parse(secret.expose()).unwrap();
    assert_eq!(presented.id, key.record.id);

    let again = deployment.start().keys.get(&presented.id).unwrap();
    assert_eq!(
        serde_json::to_value(&again.record).unwrap(),
        serde_json::to_value(&key.record).unwrap()
    );
    assert!(again.proofs()[0].matches(&presented.secret));
    assert!(again.works(deployment.clock.as_ref()));
}

#[test]
fn i3_a_key_acts_for_nobody_who_is_not_there_yet() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let label = TenantLabel::parse("later").unwrap();
    let new = NewKey { act_as: vec![label.clone()], ..agent(&registry, "acme") };
    assert_eq!(registry.create_key(new.clone()).unwrap_err().kind(), Kind::NotFound);
    assert!(registry.keys.list().is_empty());
    registry.tenants.create(&label).unwrap();
    assert_eq!(registry.create_key(new).unwrap().0.record.act_as, [label]);
}

#[test]
fn keys_that_make_no_sense_are_refused() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let good = agent(&registry, "acme");
    let bad = [
        NewKey { tenant: None, ..good.clone() },
        NewKey { role: Role::Operator, ..good.clone() },
        NewKey {
            role: Role::Operator,
            tenant: None,
            act_as: vec![TenantLabel::parse("acme").unwrap()],
            ..good.clone()
        },
        NewKey { act_as: vec![TenantLabel::parse("globex").unwrap(); 2], ..good.clone() },
        NewKey { name: "a".repeat(65), ..good.clone() },
        NewKey { name: "lap\u{ad}top".to_owned(), ..good.clone() },
        NewKey { name: "\u{3164}".to_owned(), ..good.clone() },
        NewKey { name: "lap\u{202e}top".to_owned(), ..good.clone() },
        NewKey { name: " laptop".to_owned(), ..good.clone() },
        NewKey { expires_at: Some(now(&deployment)), ..good.clone() },
    ];
    for new in bad {
        let refused = registry.keys.create(new.clone()).unwrap_err();
        assert_eq!(refused.kind(), Kind::BadInput, "{new:?}");
    }
    assert!(registry.keys.list().is_empty());
    registry.keys.create(good).unwrap();
}

#[test]
fn i6_a_key_that_could_not_be_written_was_not_made() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let new = agent(&registry, "acme");
    deployment.disk.set_broken(true);
    assert_eq!(registry.keys.create(new).unwrap_err().kind(), Kind::Unavailable);
    assert!(registry.keys.list().is_empty());
}

#[test]
fn i9_a_revoked_key_is_gone_for_good() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&heard);
    registry.keys.when_gone(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let (key, _) = registry.keys.create(agent(&registry, "acme")).unwrap();
    let (other, _) = registry.keys.create(agent(&registry, "acme")).unwrap();
    let id = key.record.id.clone();

    assert!(registry.keys.revoke(&id).unwrap());
    assert!(key.gone.is_cancelled(), "the token that is handed out already");
    assert_eq!(registry.keys.get(&id).unwrap().record.revoked_at, Some(now(&deployment)));
    assert!(registry.keys.revoke(&id).unwrap(), "twice is like once");
    assert_eq!(heard.load(Ordering::Relaxed), 1);
    assert!(!registry.keys.revoke(&KeyId::random(&crate::domain::random::OsEntropy)).unwrap());
    assert!(!other.gone.is_cancelled());

    let again = deployment.start().keys.get(&id).unwrap();
    assert!(!again.works(deployment.clock.as_ref()));
    assert_eq!(again.record.revoked_at, Some(now(&deployment)));
}

#[test]
fn i6_a_revocation_that_could_not_be_written_is_not_acknowledged() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let (key, _) = registry.keys.create(agent(&registry, "acme")).unwrap();
    deployment.disk.set_broken(true);
    assert_eq!(registry.keys.revoke(&key.record.id).unwrap_err().kind(), Kind::Unavailable);
    assert!(!key.works(deployment.clock.as_ref()), "its thief could have filled the disk");
    assert_eq!(registry.keys.get(&key.record.id).unwrap().record.revoked_at, None);
    deployment.disk.set_broken(false);
    assert!(registry.keys.revoke(&key.record.id).unwrap());
    assert!(!deployment.start().keys.get(&key.record.id).unwrap().works(&*deployment.clock));
}

#[test]
fn i9_the_sweep_ends_what_an_expired_key_has_open() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let expires_at = Some(now(&deployment) + Duration::from_mins(1));
    let (key, _) = registry.keys.create(NewKey { expires_at, ..agent(&registry, "acme") }).unwrap();
    deployment.clock.advance(Duration::from_secs(59));
    registry.keys.sweep().unwrap();
    assert!(!key.gone.is_cancelled());
    deployment.clock.advance(Duration::from_secs(1));
    registry.keys.sweep().unwrap();
    assert!(key.gone.is_cancelled());
    assert!(!deployment.start().keys.get(&key.record.id).unwrap().works(&*deployment.clock));
}

const HERE: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

#[test]
fn uses_are_written_once_a_minute_and_survive_a_restart() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let (key, _) = registry.keys.create(agent(&registry, "acme")).unwrap();
    assert_eq!(key.last_use(), None);
    let writes = deployment.disk.writes();
    for _ in 0..59 {
        key.mark_used(now(&deployment), HERE);
        registry.keys.sweep().unwrap();
        deployment.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(deployment.disk.writes(), writes + 1);
    let again = deployment.start().keys.get(&key.record.id).unwrap().last_use().unwrap();
    assert_eq!(again.at, "2026-11-21T12:00:00Z".parse().unwrap());
    assert_eq!((again.address, again.client), (Some(HERE), None));

    deployment.clock.advance(Duration::from_secs(1));
    key.mark_used(now(&deployment), HERE);
    deployment.disk.set_broken(true);
    assert!(registry.keys.sweep().is_err());
    deployment.disk.set_broken(false);
    registry.keys.sweep().unwrap();
    let again = deployment.start().keys.get(&key.record.id).unwrap();
    assert_eq!(again.last_use(), key.last_use(), "kept over the failure");
}

#[test]
fn from_where_and_by_what_a_key_was_used_is_written_with_the_next_minute() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let (key, _) = registry.keys.create(agent(&registry, "acme")).unwrap();
    key.mark_used(now(&deployment), HERE);
    registry.keys.sweep().unwrap();
    let writes = deployment.disk.writes();
    for n in 0..50 {
        key.mark_used(now(&deployment), format!("192.0.2.{n}").parse().unwrap());
        key.mark_client(&format!("client {n}"));
        registry.keys.sweep().unwrap();
        deployment.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(deployment.disk.writes(), writes, "a client cannot make it write");
    deployment.clock.advance(Duration::from_secs(10));
    registry.keys.sweep().unwrap();
    registry.keys.sweep().unwrap();
    assert_eq!(deployment.disk.writes(), writes + 1);
    let last = deployment.start().keys.get(&key.record.id).unwrap().last_use().unwrap();
    assert_eq!(last.address, Some("192.0.2.49".parse().unwrap()));
    assert_eq!(last.client.as_deref(), Some("client 49"));
}

fn presented(secret: &Secret) -> Secret {
    PresentedKey::parse(secret.expose()).unwrap().secret
}

/// Whether a proof is of this secret, by its tag: argon2 for each of so many would take long.
fn is_of(keys: &Keyring, proof: &Arc<Proof>, secret: &Secret) -> bool {
    !Proof::likely(std::slice::from_ref(proof), &presented(secret), keys.tagger()).is_empty()
}

/// Which of a key's secrets work now, as a restart would find them too.
fn works(deployment: &Deployment, registry: &crate::registry::Registry, secrets: &[&Secret]) {
    let id = PresentedKey::parse(secrets[0].expose()).unwrap().id;
    let live = |keys: &Keyring| {
        let key = keys.get(&id).unwrap();
        let mine = |secret: &&Secret| {
            let proofs = key.proofs().iter();
            proofs.filter(|p| !p.is_over(now(deployment))).any(|p| is_of(keys, p, secret))
        };
        secrets.iter().map(mine).collect::<Vec<_>>()
    };
    let ours = live(&registry.keys);
    assert_eq!(ours, live(&deployment.start().keys), "a restart changes nothing");
    // The newest is named first and always works.
    let count = ours.iter().filter(|works| **works).count();
    assert!(ours[..count].iter().all(|works| *works), "{ours:?}");
    assert_eq!(count, ours.iter().take_while(|works| **works).count());
}

#[test]
fn i9_an_old_secret_ends_with_its_overlap() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let (key, first) = registry.keys.create(agent(&registry, "acme")).unwrap();
    let id = key.record.id.clone();
    let hour = Duration::from_hours(1);
    let (second_key, second) = registry.keys.rotate(&id, hour).unwrap().unwrap();
    assert_eq!(PresentedKey::parse(second.expose()).unwrap().id, id, "the id stays");
    let end = second_key.old_secret_until(now(&deployment)).unwrap();
    assert_eq!(end.duration_since(now(&deployment)).as_secs(), 3600);
    let count = |secrets: &[&Secret]| {
        works(&deployment, &registry, secrets);
        let key = registry.keys.get(&id).unwrap();
        let live = key.proofs().iter().filter(|proof| !proof.is_over(now(&deployment)));
        live.filter(|proof| secrets.iter().any(|s| is_of(&registry.keys, proof, s))).count()
    };
    assert_eq!(count(&[&second, &first]), 2, "both, while it overlaps");
    deployment.clock.advance(Duration::from_mins(59));
    assert_eq!(count(&[&second, &first]), 2);
    deployment.clock.advance(Duration::from_mins(1));
    assert_eq!(count(&[&second, &first]), 1);
    assert_eq!(registry.keys.get(&id).unwrap().old_secret_until(now(&deployment)), None);

    // A second change within the overlap of the first drops the oldest.
    let (_, third) = registry.keys.rotate(&id, hour).unwrap().unwrap();
    let (_, fourth) = registry.keys.rotate(&id, hour).unwrap().unwrap();
    assert_eq!(count(&[&fourth, &third, &second, &first]), 2);
    let (_, fifth) = registry.keys.rotate(&id, Duration::ZERO).unwrap().unwrap();
    assert_eq!(count(&[&fifth, &fourth, &third]), 1, "no overlap at all");

    assert!(registry.keys.revoke(&id).unwrap());
    assert!(!registry.keys.get(&id).unwrap().works(deployment.clock.as_ref()));
    assert!(second_key.gone.is_cancelled() && key.gone.is_cancelled(), "every version of it");
    let refused = registry.keys.rotate(&id, hour).unwrap_err();
    assert_eq!(refused.kind(), Kind::Conflict);
}

#[test]
fn i6_a_change_of_secret_that_could_not_be_written_changes_nothing() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let (key, first) = registry.keys.create(agent(&registry, "acme")).unwrap();
    let id = key.record.id.clone();
    deployment.disk.set_broken(true);
    let refused = registry.keys.rotate(&id, Duration::ZERO).unwrap_err();
    assert_eq!(refused.kind(), Kind::Unavailable);
    deployment.disk.set_broken(false);
    works(&deployment, &registry, &[&first]);
    assert!(!key.proofs()[0].is_over(now(&deployment)));
    let long = MAX_OVERLAP + Duration::from_millis(1);
    assert_eq!(registry.keys.rotate(&id, long).unwrap_err().kind(), Kind::BadInput);
    assert!(registry.keys.rotate(&id, MAX_OVERLAP).unwrap().is_some());
    let unknown = KeyId::random(&crate::domain::random::OsEntropy);
    assert!(registry.keys.rotate(&unknown, Duration::ZERO).unwrap().is_none());
}

#[test]
fn bounds_that_make_no_sense_are_refused_with_the_way_out() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let bounded = |json: &str| NewKey {
        bounds: serde_json::from_str(json).unwrap(),
        ..agent(&registry, "acme")
    };
    let operator = |json: &str| NewKey { role: Role::Operator, tenant: None, ..bounded(json) };
    let demo = [crate::domain::pack::Pack::Demo].into_iter().collect();
    for (new, word) in [
        (operator(r#"{"tools":["echo"]}"#), "only an agent key"),
        (operator(r#"{"tags":["a"]}"#), "only an agent key"),
        (NewKey { packs: Some(demo), ..bounded(r#"{"tools":["store_memory"]}"#) }, "add that pack"),
        (bounded(r#"{"tools":["store_memory"],"access":"read"}"#), "leave one out"),
        (bounded(r#"{"tools":["list_users"]}"#), "act_as"),
        (bounded(r#"{"rate_class":"ci"}"#), "`limits.classes` has: none"),
    ] {
        let refused = registry.keys.create(new.clone()).unwrap_err();
        assert_eq!(refused.kind(), Kind::BadInput, "{new:?}");
        assert!(refused.public().contains(word), "{refused}");
    }
    let (key, _) = registry.keys.create(bounded(r#"{"tools":["echo"]}"#)).unwrap();
    assert_eq!(key.record.packs, Some(demo), "the packs of its tools");
    registry.keys.create(operator(r#"{"access":"read","from":["10.0.0.0/8"]}"#)).unwrap();
}

#[test]
fn the_list_is_in_the_order_of_making() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(registry.keys.create(agent(&registry, "acme")).unwrap().0.record.id.clone());
        deployment.clock.advance(Duration::from_millis(1));
    }
    let ids = |keys: Vec<Arc<Key>>| keys.iter().map(|k| k.record.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(registry.keys.list()), made);
    assert_eq!(ids(deployment.start().keys.list()), made);
}
