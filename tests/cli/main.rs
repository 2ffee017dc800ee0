//! The program as a person at a terminal or a script meets it: output, exit codes, files.
//!
//! Each test has a directory of its own and an environment that holds nothing else. What needs a
//! running server is tested in `tests/it`.

#![cfg(test)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

/// Runs the program in `home` with these variables and arguments.
fn memgate(home: &Path, env: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_memgate"))
        .current_dir(home)
        .env_clear()
        .envs(env.iter().copied())
        .args(arguments)
        .output()
        .unwrap()
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// What a command printed, which must have ended well.
fn printed(output: &Output) -> String {
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{complaint}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a command complained about, which must have ended with `code`.
fn complaint(output: &Output, code: i32) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

#[test]
fn a_script_can_catch_a_new_key() {
    let home = home();
    printed(&memgate(home.path(), &[], &["tenant", "create", "acme"]));
    let key =
        printed(&memgate(home.path(), &[], &["key", "create", "--tenant", "acme", "--name", "a"]));
    assert_eq!(key.lines().count(), 1, "{key}");
    assert!(key.starts_with("mg_") && key.ends_with('\n'), "{key}");
    let file = home.path().join("b.key");
    let out = file.to_str().unwrap();
    let arguments = ["key", "create", "--tenant", "acme", "--name", "b", "--out", out];
    printed(&memgate(home.path(), &[], &arguments));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let list = printed(&memgate(home.path(), &[], &["key", "list", "--json"]));
    let list: Value = serde_json::from_str(&list).unwrap();
    let keys = list.as_array().or_else(|| list["keys"].as_array()).unwrap();
    let names: Vec<_> = keys.iter().map(|k| k["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(!list.to_string().contains(key.trim()), "a list shows no secret");
}

#[test]
fn a_revoked_key_is_shown_as_revoked_and_an_unknown_one_fails() {
    let home = home();
    printed(&memgate(home.path(), &[], &["tenant", "create", "acme"]));
    printed(&memgate(home.path(), &[], &["key", "create", "--tenant", "acme", "--name", "a"]));
    let list = printed(&memgate(home.path(), &[], &["key", "list"]));
    let id = list.lines().nth(1).unwrap().split_whitespace().next().unwrap();
    printed(&memgate(home.path(), &[], &["key", "revoke", id]));
    assert!(printed(&memgate(home.path(), &[], &["key", "list"])).contains("revoked"));
    complaint(&memgate(home.path(), &[], &["key", "revoke", "000000000000"]), 1);
}

#[test]
fn settings_are_shown_with_their_origin_and_without_secrets() {
    let home = home();
    fs::write(home.path().join("memgate.toml"), "[listen]\nport = 4001\n").unwrap();
    let env = [("MCP_API_KEY", "a-key-that-nobody-shall-see"), ("LOG_LEVEL", "warn")];
    let shown = printed(&memgate(home.path(), &env, &["config", "show"]));
    let line = |name: &str| shown.lines().find(|l| l.contains(name)).unwrap().to_owned();
    assert!(line("listen.port").contains("4001") && line("listen.port").contains("memgate.toml"));
    assert!(line("log_level").contains("warn") && line("log_level").contains("LOG_LEVEL"));
    assert!(!shown.contains("nobody-shall-see"), "{shown}");
}

#[test]
fn i3_every_problem_is_told_at_once_with_its_fix() {
    let home = home();
    let env = [("HOST", "0.0.0.0"), ("MCP_API_KEY", "short"), ("MEMGATE_LISTEN__PROT", "1")];
    for arguments in [&["config", "check"][..], &["serve"][..]] {
        let told = complaint(&memgate(home.path(), &env, arguments), 2);
        for word in ["TLS", "16", "MEMGATE_LISTEN__PORT"] {
            assert!(told.contains(word), "`{word}` is missing in:\n{told}");
        }
        assert!(!home.path().join("memgate-data").exists(), "a refusal leaves nothing behind");
    }
}

#[test]
fn doctor_names_what_is_wrong_and_what_to_do() {
    let home = home();
    printed(&memgate(home.path(), &[], &["tenant", "create", "acme"]));
    let data = home.path().join("memgate-data");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    let output = memgate(home.path(), &[], &["doctor", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(findings.to_string().contains("chmod 700"), "{findings}");
}

#[test]
fn development_certificates_are_made_once_and_private() {
    let home = home();
    printed(&memgate(home.path(), &[], &["certs", "dev", "--out", "certs"]));
    let mut keys = 0;
    for entry in fs::read_dir(home.path().join("certs")).unwrap() {
        let entry = entry.unwrap();
        if fs::read_to_string(entry.path()).unwrap_or_default().contains("PRIVATE KEY") {
            keys += 1;
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
    assert!(keys > 0, "there is a key");
    let again = memgate(home.path(), &[], &["certs", "dev", "--out", "certs"]);
    assert!(complaint(&again, 2).contains("--force"));
}

#[test]
fn completions_are_programs_for_their_shell() {
    let home = home();
    let script = printed(&memgate(home.path(), &[], &["completions", "bash"]));
    let file = home.path().join("memgate.bash");
    fs::write(&file, script).unwrap();
    assert!(Command::new("bash").arg("-n").arg(&file).status().unwrap().success());
}

#[test]
fn a_session_command_without_a_server_says_so() {
    let home = home();
    let told = complaint(&memgate(home.path(), &[], &["session", "list"]), 1);
    assert!(told.contains("no server"), "{told}");
}
