//! The whole examination of data directories that are well and of some that are not.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path};

use super::*;
use crate::cli::output::tests::captured;

/// A port that is free, and stays so while the listener is kept off it.
fn free_port() -> String {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port().to_string()
}

fn sources(directory: &Path, more: &[(&str, &str)]) -> Sources {
    let data = directory.join("data");
    let port = free_port();
    let own = [("MEMGATE_DATA_DIR", data.to_str().unwrap()), ("PORT", port.as_str())];
    Sources {
        directory: directory.to_owned(),
        environment: own.into_iter().chain(more.iter().copied()).collect(),
        ..Sources::default()
    }
}

fn of<'a>(findings: &'a [Finding], check: &str) -> Vec<&'a Finding> {
    findings.iter().filter(|f| f.check == check).collect()
}

fn fresh(directory: &Path) {
    let settings = crate::config::load::read(&sources(directory, &[])).unwrap().settings;
    drop(crate::app::Control::open(&settings).unwrap());
}

#[test]
fn a_fresh_machine_and_a_fresh_data_directory_are_fine() {
    let directory = tempfile::tempdir().unwrap();
    for _ in ["no data directory", "one"] {
        let findings = examine(&sources(directory.path(), &[])).unwrap();
        assert!(findings.iter().all(|f| f.verdict == Verdict::Fine), "{findings:?}");
        let checks: Vec<_> = findings.iter().map(|f| f.check).collect();
        assert_eq!(checks, ["settings", "data", "ports", "store", "certificates", "clock"]);
        fresh(directory.path());
    }
}

#[test]
fn files_that_others_may_read_are_named_with_the_way_out() {
    let directory = tempfile::tempdir().unwrap();
    fresh(directory.path());
    let file = directory.path().join("data/control.db");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let findings = examine(&sources(directory.path(), &[])).unwrap();
    let data = of(&findings, "data");
    assert_eq!(data.len(), 1, "{findings:?}");
    assert!(data[0].verdict == Verdict::Wrong && data[0].found.contains("control.db"));
    assert!(data[0].hint.as_ref().is_some_and(|h| h.contains("chmod go=")));
}

#[test]
fn a_damaged_registry_is_wrong_and_nothing_panics() {
    let directory = tempfile::tempdir().unwrap();
    fresh(directory.path());
    fs::write(directory.path().join("data/control.db"), "not a database at all").unwrap();
    let findings = examine(&sources(directory.path(), &[])).unwrap();
    assert_eq!(of(&findings, "store")[0].verdict, Verdict::Wrong, "{findings:?}");
}

#[test]
fn missing_certificates_and_bad_settings_are_found_together() {
    let directory = tempfile::tempdir().unwrap();
    let more = [
        ("MEMGATE_LISTEN__TLS__CERTIFICATE", "no.pem"),
        ("MEMGATE_LISTEN__TLS__PRIVATE_KEY", "no.key"),
        ("MEMGATE_LISTEN__PROT", "1"),
    ];
    let findings = examine(&sources(directory.path(), &more)).unwrap();
    assert_eq!(of(&findings, "certificates")[0].verdict, Verdict::Wrong, "{findings:?}");
    assert_eq!(of(&findings, "settings")[0].verdict, Verdict::Wrong, "{findings:?}");
    let (printer, out, _) = captured(false);
    let arguments = Arguments { health: None, json: true };
    assert!(matches!(
        arguments.run(&sources(directory.path(), &more), &printer),
        Err(Failure::Found)
    ));
    let json: serde_json::Value = serde_json::from_str(&out.text()).unwrap();
    assert_eq!(json["findings"][0]["verdict"], "wrong");
}
