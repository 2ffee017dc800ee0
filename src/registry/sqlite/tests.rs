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
