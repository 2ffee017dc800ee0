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

/// What a command with `--json` printed.
fn json(output: &Output) -> Value {
    serde_json::from_str(&printed(output)).unwrap()
}

#[test]
fn a_key_has_everything_that_was_asked_for() {
    let home = home();
    let run = |arguments: &[&str]| memgate(home.path(), &[], arguments);
    let tenant = json(&run(&["tenant", "create", "acme", "--json"]));
    assert_eq!(tenant["label"], "acme");
    printed(&run(&["tenant", "create", "globex"]));
    let asked = ["key", "create", "--tenant", "acme", "--name", "a", "--pack", "demo", "--json"];
    let more = ["--act-as", "globex", "--expires", "2999-01-31"];
    let made = json(&run(&[&asked[..], &more[..]].concat()));
    assert!(made["key"].as_str().unwrap().starts_with("mg_"), "{made}");
    for (field, wanted) in [
        ("role", serde_json::json!("agent")),
        ("tenant", serde_json::json!("acme")),
        ("name", serde_json::json!("a")),
        ("packs", serde_json::json!(["demo"])),
        ("act_as", serde_json::json!(["globex"])),
        ("expires_at", serde_json::json!("2999-01-31T00:00:00Z")),
    ] {
        assert_eq!(made[field], wanted, "{field}");
    }
    let operator = ["key", "create", "--role", "operator", "--out", "op.key", "--json"];
    let operator = json(&run(&operator));
    assert_eq!((&operator["role"], operator.get("key")), (&"operator".into(), None));
    assert!(operator["tenant"].is_null() && home.path().join("op.key").exists());

    let tenants = json(&run(&["tenant", "list", "--json"]));
    assert_eq!(tenants["tenants"].as_array().unwrap().len(), 2, "{tenants}");
    let nobody = ["key", "create", "--tenant", "acme", "--act-as", "initech"];
    let told = complaint(&run(&nobody), 1);
    assert!(told.contains("act_as") && !told.contains("tenant create acme"), "{told}");
    let before = ["key", "create", "--tenant", "acme", "--expires", "2020-01-31"];
    assert!(complaint(&run(&before), 2).contains("must lie ahead"));
    let again = ["key", "create", "--tenant", "acme", "--out", "op.key"];
    assert!(complaint(&run(&again), 2).contains("exists already"));
    let keys = json(&run(&["key", "list", "--json"]));
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2, "a refusal makes no key: {keys}");
}

#[test]
fn a_bare_name_is_a_place_in_the_working_directory() {
    let home = home();
    printed(&memgate(home.path(), &[], &["--data-dir", "data", "tenant", "create", "acme"]));
    assert!(home.path().join("data/control.db").exists());
    let key = ["--data-dir", "data", "key", "create", "--tenant", "acme", "--out", "a.key"];
    printed(&memgate(home.path(), &[], &key));
    assert!(fs::read_to_string(home.path().join("a.key")).unwrap().starts_with("mg_"));
}

#[test]
fn every_option_of_settings_counts() {
    let home = home();
    fs::write(home.path().join("other.toml"), "[listen]\nmax_headers = 17\n").unwrap();
    let arguments = [
        "--host",
        "10.0.0.1",
        "--port",
        "4002",
        "--behind-proxy",
        "--tls-certificate",
        "a.pem",
        "--tls-key",
        "a.key",
        "--log-level",
        "debug",
        "--log-format",
        "json",
        "--config",
        "other.toml",
        "--data-dir",
        "elsewhere",
        "--set",
        "http.trusted_hosts=a.example",
        "config",
        "show",
        "--changed",
        "--json",
    ];
    let shown = json(&memgate(home.path(), &[], &arguments));
    let shown: Vec<_> = shown["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| ["key", "value", "from"].map(|field| s[field].as_str().unwrap()))
        .collect();
    let wanted = [
        ["http.trusted_hosts", "a.example", "--set"],
        ["listen.behind_proxy", "true", "--behind-proxy"],
        ["listen.host", "10.0.0.1", "--host"],
        ["listen.max_headers", "17", "other.toml line 2"],
        ["listen.port", "4002", "--port"],
        ["listen.tls.certificate", "a.pem", "--tls-certificate"],
        ["listen.tls.private_key", "a.key", "--tls-key"],
        ["storage.data_dir", "elsewhere", "--data-dir"],
        ["telemetry.log_format", "json", "--log-format"],
        ["telemetry.log_level", "debug", "--log-level"],
    ];
    for row in wanted {
        assert!(shown.contains(&row), "{row:?} in {shown:?}");
    }
    assert_eq!(shown.len(), wanted.len(), "{shown:?}");
}

#[test]
fn an_unsafe_configuration_ends_with_2_in_every_form() {
    let home = home();
    let env = [("HOST", "0.0.0.0")];
    let check = memgate(home.path(), &env, &["config", "check", "--json"]);
    assert_eq!(check.status.code(), Some(2));
    let found: Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!(found["problems"].as_array().unwrap().len(), 1, "{found}");
    complaint(&memgate(home.path(), &env, &["config", "show"]), 2);

    let disabled = [("DISABLE_AUTH", "true")];
    let check = memgate(home.path(), &disabled, &["config", "check"]);
    assert!(complaint(&check, 0).starts_with("hint: auth.disabled"), "{check:?}");
    let check = json(&memgate(home.path(), &disabled, &["config", "check", "--json"]));
    let lengths = ["problems", "advice"].map(|list| check[list].as_array().unwrap().len());
    assert_eq!(lengths, [0, 1], "{check}");

    fs::create_dir(home.path().join("policies")).unwrap();
    fs::write(home.path().join("policies/own.cedar"), "permit (principal);").unwrap();
    let check = memgate(home.path(), &[], &["policy", "check", "policies", "--json"]);
    assert_eq!(check.status.code(), Some(2));
    complaint(&memgate(home.path(), &[], &["--no-such-option"]), 2);
}

#[test]
fn a_template_is_written_once_checked_and_tested() {
    let home = home();
    let list = printed(&memgate(home.path(), &[], &["policy", "template", "list"]));
    for name in ["guest", "office-hours", "only-these-tools", "read-only", "shared-tenant"] {
        assert!(list.contains(name), "{list}");
        let shown = printed(&memgate(home.path(), &[], &["policy", "template", "show", name]));
        assert!(shown.contains("@id("), "{shown}");
        let write = ["policy", "template", "write", name, name, "--key", "0k3v9q1mzx7a"];
        printed(&memgate(home.path(), &[], &write));
        let written = fs::read_to_string(home.path().join(format!("{name}/20-{name}.cedar")));
        assert!(written.unwrap().contains("Key::\"0k3v9q1mzx7a\""));
        printed(&memgate(home.path(), &[], &["policy", "check", name]));
        let tested = printed(&memgate(home.path(), &[], &["policy", "test", "--policies", name]));
        assert!(tested.contains(" cases, 0 failed"), "{tested}");
        complaint(&memgate(home.path(), &[], &write), 1);
    }
    let told = complaint(&memgate(home.path(), &[], &["policy", "template", "show", "redonly"]), 2);
    assert!(told.contains("did you mean `read-only`?"), "{told}");
}

#[test]
fn the_posture_names_each_weakness_and_a_danger_ends_with_1() {
    let home = home();
    let posture = ["config", "check", "--posture"];
    let words = printed(&memgate(home.path(), &[], &posture));
    assert!(words.contains("posture: 0 dangers"), "{words}");
    let json = [&posture[..], &["--json"]].concat();
    let env = [("LOG_LEVEL", "debug"), ("MCP_API_KEY", "k7Qd93jf8sLw02Xm")];
    let report = printed(&memgate(home.path(), &env, &json));
    assert!(!report.contains("k7Qd93jf8sLw02Xm"), "{report}");
    let report: Value = serde_json::from_str(&report).unwrap();
    let found = report["findings"].as_array().unwrap();
    let fix =
        |text: &str| found.iter().any(|f| f["fix"].as_str().is_some_and(|fix| fix.contains(text)));
    assert!(fix("MCP_API_KEY_FILE=") && fix("telemetry.log_level = \"info\""), "{report}");

    let off = memgate(home.path(), &[("DISABLE_AUTH", "true")], &posture);
    assert_eq!(off.status.code(), Some(1));
    let text = String::from_utf8(off.stdout).unwrap();
    assert!(text.starts_with("DANGER") && text.contains("auth.disabled = false"), "{text}");

    let refused = memgate(home.path(), &[("HOST", "0.0.0.0")], &json);
    assert_eq!(refused.status.code(), Some(2), "memgate would not start");
    let report: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(report["worst"], "danger");
    assert!(!home.path().join("memgate-data").exists(), "looking makes nothing");
}

#[test]
fn the_posture_looks_at_files_and_keys() {
    let home = home();
    let policies = home.path().join("policies");
    let write = ["policy", "template", "write", "read-only", "policies"];
    printed(&memgate(home.path(), &[], &write));
    printed(&memgate(home.path(), &[], &["tenant", "create", "acme"]));
    printed(&memgate(home.path(), &[], &["key", "create", "--tenant", "acme", "--name", "a"]));
    let expiring = ["key", "create", "--tenant", "acme", "--name", "b", "--expires", "90d"];
    printed(&memgate(home.path(), &[], &expiring));
    let posture = ["--set", "policy.directory=policies", "config", "check", "--posture"];
    let words = printed(&memgate(home.path(), &[], &posture));
    assert!(words.contains("1 of 2 keys never expire"), "{words}");
    let file = policies.join("20-read-only.cedar");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    fs::write(home.path().join("memgate.toml"), "[mcp]\nserver_name = \"x\"\n").unwrap();
    let toml = home.path().join("memgate.toml");
    fs::set_permissions(&toml, fs::Permissions::from_mode(0o622)).unwrap();
    let found = memgate(home.path(), &[], &posture);
    assert_eq!(found.status.code(), Some(1));
    let text = String::from_utf8(found.stdout).unwrap();
    for fix in ["chmod go-w policies/20-read-only.cedar", "memgate.toml"] {
        assert!(text.contains(fix), "`{fix}` is missing in:\n{text}");
    }
    assert!(text.contains("2 dangers"), "{text}");
}
