//! What every [`ControlStore`] must do: one suite, run by the tests of each backend.
//!
//! `open` opens the same database every time it is called, as a new process would; each case
//! starts on an empty one.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    control::{ControlStore, Loaded, StoredKey, TagKey},
    keyring::{Proof, Tagger},
    ledger::Totals,
};
use crate::domain::{
    Kind,
    key::{KeyRecord, PresentedKey, Role},
    last_use::LastUse,
    pack::{Pack, Packs},
    random::OsEntropy,
    tenant::{Tenant, TenantId, TenantLabel},
};

/// Opens one and the same database, again and again.
pub(super) type Open<'o> = &'o dyn Fn() -> Arc<dyn ControlStore>;

fn noon() -> Timestamp {
    "2026-11-21T12:00:00.123456789Z".parse().unwrap()
}

fn load(open: Open<'_>) -> Loaded {
    open().load(&TagKey([1; 32]), noon()).unwrap()
}

fn tenant(label: &str) -> Tenant {
    Tenant {
        id: TenantId::random(&OsEntropy),
        label: TenantLabel::parse(label).unwrap(),
        created_at: noon(),
    }
}

fn agent(tenant: &Tenant) -> (KeyRecord, Proof) {
    let presented = PresentedKey::random(&OsEntropy);
    let record = KeyRecord {
        id: presented.id,
        role: Role::Agent,
        tenant: Some(tenant.clone()),
        name: "Cursor on the laptop; it's \"new\"".to_owned(),
        packs: Some([Pack::Demo].into_iter().collect::<Packs>()),
        act_as: vec![TenantLabel::parse("globex").unwrap()],
        bounds: serde_json::from_str(
            r#"{"tools":["echo"],"access":"read","tags":["it's"],"from":["10.0.0.0/8"],
                "hours":"mon-fri 08:00-18:00 Europe/Berlin","rate_class":"ci"}"#,
        )
        .unwrap(),
        created_at: noon(),
        expires_at: Some(noon()),
        revoked_at: None,
    };
    let proof = Proof::make(&presented.secret, &Tagger::new(&[1; 32]), &OsEntropy).unwrap();
    (record, proof)
}

pub(super) fn a_new_database_is_empty_and_keeps_its_tag_key(open: Open<'_>) {
    let first = load(open);
    assert!(first.tenants.is_empty() && first.keys.is_empty());
    assert_eq!((first.totals.counted_since, first.totals.calls), (noon(), 0));
    assert_eq!(first.tag_key.0, [1; 32]);
    let later = open().load(&TagKey([2; 32]), Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(later.tag_key.0, [1; 32], "made once");
    assert_eq!(later.totals.counted_since, noon());
}

pub(super) fn what_was_written_is_read_back(open: Open<'_>) {
    let acme = tenant("acme");
    let (record, proof) = agent(&acme);
    let store = open();
    store.insert_tenant(&acme).unwrap();
    store.insert_key(&record, &proof).unwrap();
    let last = LastUse {
        at: noon(),
        address: Some("192.0.2.7".parse().unwrap()),
        client: Some("it's".to_owned()),
    };
    store.save_uses(&[(record.id.clone(), last.clone())]).unwrap();

    let loaded = load(open);
    assert_eq!(loaded.tenants, [acme]);
    let [key] = &loaded.keys[..] else { panic!("one key") };
    assert_eq!(serde_json::to_value(&key.record).unwrap(), serde_json::to_value(&record).unwrap());
    assert_eq!(stored(key), [proof.to_store()].map(|(tag, hash)| (tag, hash.to_owned())));
    assert_eq!(key.last_use, Some(last));

    store.revoke_key(&record.id, noon()).unwrap();
    assert_eq!(load(open).keys[0].record.revoked_at, Some(noon()));
}

/// What is kept of a key's secrets.
fn stored(key: &StoredKey) -> Vec<(u16, String)> {
    let proofs = key.proofs.iter().map(|proof| proof.to_store());
    proofs.map(|(tag, hash)| (tag, hash.to_owned())).collect()
}

pub(super) fn of_two_new_secrets_the_last_and_the_one_before_it_are_kept(open: Open<'_>) {
    let acme = tenant("acme");
    let (record, proof) = agent(&acme);
    let store = open();
    store.insert_tenant(&acme).unwrap();
    store.insert_key(&record, &proof).unwrap();
    let [second, third] = [(); 2].map(|()| agent(&acme).1);
    let own = |proof: &Proof| (proof.to_store().0, proof.to_store().1.to_owned());
    for (new, before) in [(&second, &proof), (&third, &second)] {
        store.rotate_key(&record.id, new, noon()).unwrap();
        let loaded = load(open);
        assert_eq!(stored(&loaded.keys[0]), [own(new), own(before)]);
        let ends = loaded.keys[0].proofs.iter().map(|proof| proof.ends_at());
        let end = Timestamp::from_millisecond(noon().as_millisecond()).unwrap();
        assert_eq!(ends.collect::<Vec<_>>(), [None, Some(end)]);
    }
    store.revoke_key(&record.id, noon()).unwrap();
    assert!(store.rotate_key(&record.id, &second, noon()).is_err(), "a revoked key stays so");
    assert_eq!(stored(&load(open).keys[0]), [own(&third), own(&second)]);
}

pub(super) fn a_label_is_taken_once_and_a_key_needs_its_tenant(open: Open<'_>) {
    let (acme, globex) = (tenant("acme"), tenant("globex"));
    let store = open();
    store.insert_tenant(&acme).unwrap();
    assert_eq!(store.insert_tenant(&tenant("acme")).unwrap_err().kind(), Kind::Conflict);
    assert_eq!(load(open).tenants.len(), 1);

    let (record, proof) = agent(&globex);
    assert_eq!(store.insert_key(&record, &proof).unwrap_err().kind(), Kind::NotFound);
    assert!(store.revoke_key(&record.id, noon()).is_err(), "there is no such key");
    assert!(load(open).keys.is_empty());
}

pub(super) fn totals_are_replaced(open: Open<'_>) {
    let since = load(open).totals.counted_since;
    for calls in [7, u64::MAX >> 1] {
        let totals = Totals {
            counted_since: since,
            sessions: 1,
            calls,
            errors: 2,
            bytes_in: 3,
            bytes_out: 4,
        };
        open().save_totals(&totals).unwrap();
        assert_eq!(load(open).totals, totals);
    }
}
