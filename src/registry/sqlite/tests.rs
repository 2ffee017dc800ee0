//! The conformance suite over SQLite, and what only a file can get wrong.

use tempfile::TempDir;

use super::*;
use crate::{
    domain::clock::ManualClock,
    registry::{conformance, conformance::Open},
};

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::at("2026-11-21T12:00:00Z".parse().unwrap()))
}

fn directory() -> (TempDir, DataDir) {
    let temp = tempfile::tempdir().unwrap();
    let data_dir = DataDir::open(&temp.path().join("data")).unwrap();
    (temp, data_dir)
}

fn conforms(case: impl Fn(Open<'_>)) {
    let (_temp, data_dir) = directory();
    case(&|| Arc::new(SqliteControl::open(&data_dir, clock()).unwrap()));
}

#[test]
fn a_new_database_is_empty_and_keeps_its_tag_key() {
    conforms(conformance::a_new_database_is_empty_and_keeps_its_tag_key);
}

#[test]
fn what_was_written_is_read_back() {
    conforms(conformance::what_was_written_is_read_back);
}

#[test]
fn of_two_new_secrets_the_last_and_the_one_before_it_are_kept() {
    conforms(conformance::of_two_new_secrets_the_last_and_the_one_before_it_are_kept);
}

/// A control plane as the first version made it, with one key in it.
#[test]
fn a_database_of_the_first_version_keeps_its_keys() {
    let (_temp, data_dir) = directory();
    let path = data_dir.paths().control_db();
    let first = Schema { migrations: &SCHEMA.migrations[..1], ..SCHEMA };
    let secret = crate::domain::secret::Secret::new("s".repeat(43));
    let tagger = crate::registry::keyring::Tagger::new(&[7; 32]);
    let proof = Proof::make(&secret, &tagger, &crate::domain::random::OsEntropy).unwrap();
    let (tag, hash) = proof.to_store();
    {
        let mut database =
            Database::open(&path, Mode::Create, &Limits::default(), clock()).unwrap();
        first.bring_up(&mut database, "control", IfEmpty::Install).unwrap();
        database
            .execute_batch(
                "INSERT INTO tenant VALUES ('t_00000000000000000000', 'acme',
                                            '2026-11-21T12:00:00Z');
                 INSERT INTO tag_key VALUES (1, x'0707070707070707070707070707070707070707070707070707070707070707');",
            )
            .unwrap();
        database
            .execute(
                "INSERT INTO api_key
                   (id, role, tenant_id, name, act_as, created_at, last_used, tag, hash)
                 VALUES ('aaaaaaaaaaaa', 'agent', 't_00000000000000000000', 'laptop', '[]',
                         '2026-11-21T12:00:00Z', '2026-11-21T13:00:00Z', ?1, ?2)",
                params![tag, hash],
            )
            .unwrap();
    }
    let control = SqliteControl::open(&data_dir, clock()).unwrap();
    let loaded = control.load(&TagKey([0; 32]), clock().now()).unwrap();
    let [key] = &loaded.keys[..] else { panic!("one key") };
    assert_eq!((key.record.name.as_str(), key.proofs.len()), ("laptop", 1));
    assert_eq!(key.record.bounds, crate::domain::bounds::Bounds::default());
    assert!(key.proofs[0].matches(&secret), "its secret works as before");
    let last = key.last_use.clone().unwrap();
    assert_eq!((last.at.to_string().as_str(), last.address), ("2026-11-21T13:00:00Z", None));
    let newer = Schema { migrations: &SCHEMA.migrations[..1], ..SCHEMA };
    assert!(newer.bring_up(&mut control.database(), "control", IfEmpty::Refuse).is_err());
}

#[test]
fn a_label_is_taken_once_and_a_key_needs_its_tenant() {
    conforms(conformance::a_label_is_taken_once_and_a_key_needs_its_tenant);
}

#[test]
fn totals_are_replaced() {
    conforms(conformance::totals_are_replaced);
}

#[test]
fn i3_a_damaged_row_stops_the_start() {
    let good =
        "INSERT INTO tenant VALUES ('t_00000000000000000000', 'acme', '2026-11-21T12:00:00Z')";
    let bad = [
        "UPDATE tenant SET label = '../acme'",
        "UPDATE tenant SET id = '../../etc'",
        "UPDATE tenant SET created_at = 'yesterday'",
        "INSERT INTO api_key (id, role, name, act_as, created_at, tag, hash)
         VALUES ('aaaaaaaaaaaa', 'operator', '', '[]', '2026-11-21T12:00:00Z', 0, 'plain')",
        "INSERT INTO api_key (id, role, name, act_as, created_at, tag, hash)
         VALUES ('AAAAAAAAAAAA', 'operator', '', '[]', '2026-11-21T12:00:00Z', 0, 'plain')",
        "UPDATE session_totals SET calls = -1",
    ];
    for statement in bad {
        let (_temp, data_dir) = directory();
        let control = SqliteControl::open(&data_dir, clock()).unwrap();
        control.load(&TagKey([0; 32]), clock().now()).unwrap();
        control.database().execute(good, []).unwrap();
        assert!(control.load(&TagKey([0; 32]), clock().now()).is_ok());
        assert_eq!(control.database().execute(statement, []).unwrap(), 1, "{statement}");
        let refused = control.load(&TagKey([0; 32]), clock().now()).unwrap_err();
        assert_eq!(refused.kind(), Kind::Unavailable, "{statement}");
    }
}

#[test]
fn i3_a_bound_that_nobody_knows_stops_the_start() {
    let (_temp, data_dir) = directory();
    let control = SqliteControl::open(&data_dir, clock()).unwrap();
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA\
                $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let insert = "INSERT INTO api_key (id, role, name, act_as, created_at, tag, hash)
                  VALUES ('aaaaaaaaaaaa', 'operator', '', '[]', '2026-11-21T12:00:00Z', 0, ?1)";
    control.database().execute(insert, [hash]).unwrap();
    let bound = |json: &str| {
        let set = control.database().execute("UPDATE api_key SET bounds = ?1", [json]);
        set.map(|_| control.load(&TagKey([0; 32]), clock().now()).is_ok())
    };
    for good in ["{}", r#"{"access":"read"}"#, r#"{"hours":"daily 08:00-18:00 UTC"}"#] {
        assert_eq!(bound(good), Ok(true), "{good}");
    }
    for bad in [
        r#"{"budget":1}"#,
        r#"{"tools":["fly"]}"#,
        r#"{"tags":[]}"#,
        r#"{"access":"none"}"#,
        r#"{"hours":"mon 08:00-18:00 Nowhere"}"#,
        "[]",
        "null",
    ] {
        assert_eq!(bound(bad), Ok(false), "{bad}");
    }
    assert!(bound("{").is_err(), "not even JSON");
}

#[test]
fn i3_no_row_can_be_an_operator_of_a_tenant_or_the_control_socket() {
    let (_temp, data_dir) = directory();
    let control = SqliteControl::open(&data_dir, clock()).unwrap();
    let insert = |id: &str, role: &str, tenant: Option<&str>| {
        control.database().execute(
            "INSERT INTO api_key (id, role, tenant_id, name, act_as, created_at, tag, hash)
             VALUES (?1, ?2, ?3, '', '[]', '', 0, '')",
            params![id, role, tenant],
        )
    };
    assert!(insert("aaaaaaaaaaaa", "agent", None).is_err());
    assert!(insert("aaaaaaaaaaaa", "root", None).is_err());
    assert!(insert("env-local", "operator", None).is_err());
    assert!(insert("aaaaaaaaaaaa", "operator", None).is_ok());
}
