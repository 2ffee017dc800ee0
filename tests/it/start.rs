//! The first start, and the starts that are refused.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::world::{Process, World};

#[test]
fn the_first_start_makes_keys_that_work_and_prints_none_to_a_file() {
    let world = World::bare(&[]);
    let read = |name: &str| {
        let path = world.data().join("bootstrap").join(name);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.ends_with('\n'), "a key and a newline");
        text.trim().to_owned()
    };
    let (agent, operator) = (read("agent.key"), read("operator.key"));
    world.bearer(&agent).store("hello");
    assert_eq!(world.bearer(&operator).get("/admin/sessions").status, 200);
    let log = world.log();
    assert!(!log.contains(&agent) && !log.contains(&operator), "no terminal, no secret:\n{log}");
    assert!(log.contains("/mcp"), "it says where to connect:\n{log}");
    let mode = std::fs::metadata(world.data()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn the_second_start_makes_no_new_keys() {
    let mut world = World::bare(&[]);
    let key = || std::fs::read_to_string(world.data().join("bootstrap/agent.key")).unwrap();
    let before = key();
    world.restart();
    assert_eq!(std::fs::read_to_string(world.data().join("bootstrap/agent.key")).unwrap(), before);
    world.bearer(before.trim()).store("still mine");
}

/// Starts with these settings; the refusal's sentences.
fn refused(env: &[(&str, &str)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let env: Vec<_> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let ended = Process::command(&directory.path().join("data"), &env, &["serve"], "");
    assert_eq!(ended.code, Some(2), "{env:?}: {}{}", ended.stdout, ended.stderr);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    ended.stderr
}

#[test]
fn unsafe_settings_are_refused() {
    for env in [
        &[("DISABLE_AUTH", "true"), ("HOST", "0.0.0.0")][..],
        &[("HOST", "0.0.0.0")],
        &[("MCP_API_KEY", "")],
        &[("MCP_API_KEY", "short")],
        &[("MCP_API_KEY", "change-me-change-me")],
        &[("MCP_API_KEYS", "a:same-key-0123456789,b:same-key-0123456789")],
        &[("MCP_API_KEYS", "../b:a-long-enough-key-0123")],
        &[("MCP_API_KEYS", "Acme:a-long-enough-key-0123")],
        &[("HOST", "0.0.0.0"), ("MEMGATE_LISTEN__BEHIND_PROXY", "true"), ("ALLOWED_ORIGINS", "*")],
        &[("HOST", "0.0.0.0"), ("MEMGATE_LISTEN__BEHIND_PROXY", "true"), ("TRUSTED_HOSTS", "*")],
        &[("PORT", "not-a-port")],
        &[("MEMGATE_LISTEN__NOPE", "1")],
    ] {
        assert!(!refused(env).trim().is_empty(), "{env:?}");
    }
}

#[test]
fn all_problems_are_told_at_once_and_no_secret_among_them() {
    let said = refused(&[
        ("HOST", "0.0.0.0"),
        ("DISABLE_AUTH", "true"),
        ("MCP_API_KEYS", "a:my-secret-key-0123456789,b:my-secret-key-0123456789"),
    ]);
    assert!(said.lines().filter(|l| !l.trim().is_empty()).count() >= 2, "{said}");
    assert!(!said.contains("my-secret-key"), "{said}");
}

#[test]
fn a_data_directory_that_others_can_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ended = Process::command(&data, &[], &["serve"], "");
    assert_eq!(ended.code, Some(2), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains("0700") || ended.stderr.contains("700"), "{}", ended.stderr);
}

#[test]
fn without_authentication_everybody_is_the_default_tenant() {
    let world = World::bare(&[("DISABLE_AUTH", "true")]);
    world.anonymous().store("open house");
    let found = world.anonymous().tool("retrieve_memories", json!({"query": "house"}));
    assert!(found.text().contains("open house"), "{:?}", found.http);
    assert_eq!(world.anonymous().get("/admin/stats").status, 403, "an operator still needs a key");
}

#[test]
fn the_posture_is_said_at_the_start_and_shown_to_operators() {
    let world = World::with(&[("MEMGATE_MCP__PACKS", "memento,demo")]);
    let log = world.log();
    let line = log.lines().find(|line| line.contains("posture: ")).expect("one line");
    assert!(line.contains("notes") && line.contains("config check --posture"), "{line}");
    let report = world.operator().get("/admin/stats").json()["posture"].clone();
    let fixes: Vec<_> = report["findings"].as_array().unwrap().iter().map(|f| &f["fix"]).collect();
    let named = |text: &str| fixes.iter().any(|fix| fix.as_str().unwrap().contains(text));
    assert!(named("mcp.packs") && named("MCP_ADMIN_KEY_FILE"), "{report}");
    assert!(!world.anonymous().get("/readyz?verbose").body.contains("posture"));
}

#[test]
fn the_keys_of_the_first_start_are_a_warning_until_they_are_gone() {
    let mut world = World::bare(&[]);
    let operator = std::fs::read_to_string(world.data().join("bootstrap/operator.key")).unwrap();
    let warned = |world: &World| {
        let stats = world.bearer(operator.trim()).get("/admin/stats").json();
        stats["posture"]["findings"].to_string().contains("bootstrap/agent.key")
    };
    assert!(warned(&world));
    std::fs::remove_dir_all(world.data().join("bootstrap")).unwrap();
    world.restart();
    assert!(!warned(&world));
}
