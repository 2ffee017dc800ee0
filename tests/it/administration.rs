//! Tenants and keys, by the API and by the command line.

use serde_json::json;

use crate::world::World;

#[test]
fn a_new_tenant_and_its_key_work_at_once() {
    let world = World::start();
    let made = world.operator().post("/admin/tenants", &json!({"label": "initech"}));
    assert_eq!(made.status, 201, "{made:?}");
    let again = world.operator().post("/admin/tenants", &json!({"label": "initech"}));
    assert_eq!(again.status, 409, "{again:?}");
    let key = world.new_key(&json!({"tenant": "initech", "name": "laptop"}));
    key.caller.store("first");
    let listed = world.operator().get("/admin/keys").body;
    assert!(listed.contains(&key.id) && !listed.contains(&key.secret), "{listed}");
}

#[test]
fn a_key_is_made_from_what_is_asked_for_and_nothing_else() {
    let world = World::start();
    for wish in [
        json!({"tenant": "acme", "name": "x", "hash": "y"}),
        json!({"tenant": "nobody-here", "name": "x"}),
        json!({"tenant": "acme", "role": "operator", "name": "x"}),
        json!({"tenant": "acme", "role": "root", "name": "x"}),
        json!([]),
    ] {
        let answer = world.operator().post("/admin/keys", &wish);
        assert!([400, 404, 409, 422].contains(&answer.status), "{wish}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{wish}");
        let problem = answer.json();
        assert_eq!(problem["instance"].as_str(), answer.header("x-request-id"), "{problem}");
    }
}

#[test]
fn the_command_line_makes_and_lists_keys_with_and_without_a_server() {
    let mut world = World::start();
    let made = world.command(&["key", "create", "--tenant", "acme", "--name", "cli"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let secret = |text: &str| {
        let start = text.find("mg_").unwrap_or_else(|| panic!("no key in {text}"));
        text[start..].split_whitespace().next().unwrap().to_owned()
    };
    let live = secret(&made.stdout);
    world.bearer(&live).store("made by the command line");
    world.process().kill();
    let made = world.command(&["key", "create", "--tenant", "globex", "--name", "offline"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let offline = secret(&made.stdout);
    let listed = world.command(&["key", "list", "--json"]);
    assert!(listed.stdout.contains("offline"), "{}", listed.stdout);
    assert!(!listed.stdout.contains(&offline), "a secret is shown once");
    world.restart();
    world.bearer(&offline).store("works");
    world.bearer(&live).store("works too");
}

#[test]
fn a_running_server_is_asked_for_everything_that_was_typed() {
    let world = World::start();
    let typed = ["key", "create", "--tenant", "acme", "--name", "cli", "--pack", "demo"];
    let more = ["--act-as", "globex", "--expires", "2999-01-31", "--json"];
    let made = world.command(&[&typed[..], &more[..]].concat());
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let made: serde_json::Value = serde_json::from_str(&made.stdout).unwrap();
    for (field, wanted) in [
        ("tenant", json!("acme")),
        ("name", json!("cli")),
        ("packs", json!(["demo"])),
        ("act_as", json!(["globex"])),
        ("expires_at", json!("2999-01-31T00:00:00Z")),
    ] {
        assert_eq!(made[field], wanted, "{field}");
    }
}

#[test]
fn only_its_owner_can_use_the_control_socket() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let world = World::start();
    let socket = std::fs::metadata(world.data().join("control.sock")).unwrap();
    assert!(socket.file_type().is_socket());
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
}

#[test]
fn doctor_finds_nothing_wrong_with_a_fresh_start() {
    let mut world = World::start();
    world.process().kill();
    let doctor = world.command(&["doctor"]);
    assert_eq!(doctor.code, Some(0), "{}{}", doctor.stdout, doctor.stderr);
}
