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
    assert!(again.proof().unwrap().matches(&presented.secret));
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

#[test]
fn uses_are_written_once_a_minute_and_survive_a_restart() {
    let deployment = Deployment::new();
    let registry = deployment.start();
    let (key, _) = registry.keys.create(agent(&registry, "acme")).unwrap();
    assert_eq!(key.last_used(), None);
    let writes = deployment.disk.writes();
    for _ in 0..59 {
        key.mark_used(now(&deployment));
        registry.keys.sweep().unwrap();
        deployment.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(deployment.disk.writes(), writes + 1);
    let minute = Some("2026-11-21T12:00:00Z".parse().unwrap());
    assert_eq!(deployment.start().keys.get(&key.record.id).unwrap().last_used(), minute);

    deployment.clock.advance(Duration::from_secs(1));
    key.mark_used(now(&deployment));
    deployment.disk.set_broken(true);
    assert!(registry.keys.sweep().is_err());
    deployment.disk.set_broken(false);
    registry.keys.sweep().unwrap();
    let again = deployment.start().keys.get(&key.record.id).unwrap();
    assert_eq!(again.last_used(), key.last_used(), "kept over the failure");
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
