//! Policies of the operator's own, exchanged while requests run, and why one was refused.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{Answer, Ended, World, process::wait_until};

/// The built-in rights of agents and operators.
const AGENT: &str = include_str!("../../policies/10-agent.cedar");
const OPERATOR: &str = include_str!("../../policies/40-operator.cedar");
const NO_WRITING: &str = "@id(\"own.no_writing\")
    forbid (principal, action == Action::\"memory_write\", resource is Tenant);";

fn policies() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("10-agent.cedar"), AGENT).unwrap();
    fs::write(directory.path().join("40-operator.cedar"), OPERATOR).unwrap();
    directory
}

/// A server that looks at its policies every `interval`.
fn world(policies: &TempDir, interval: &str) -> World {
    World::with(&[
        ("MEMGATE_POLICY__DIRECTORY", policies.path().to_str().unwrap()),
        ("MEMGATE_POLICY__RELOAD_INTERVAL", interval),
        // Waiting for a change asks often.
        ("MEMGATE_LIMITS__PER_KEY", "1000000/1s"),
        ("MEMGATE_LIMITS__PER_ADDRESS", "1000000/1s"),
    ])
}

fn write(world: &World) -> Answer {
    world.acme().tool("store_memory", json!({"content": "a note"}))
}

fn policy(world: &World) -> Value {
    world.operator().get("/admin/stats").json()["policy"].clone()
}

fn check(world: &World, name: &str) -> String {
    let answer = world.anonymous().get("/readyz?verbose").json();
    let checks = answer["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("no `{name}` in {answer}"))["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_changed_directory_comes_into_force_and_a_broken_one_does_not() {
    let policies = policies();
    let world = world(&policies, "100ms");
    let before = policy(&world);
    assert_eq!((&before["source"], &before["policies"]), (&json!("directory"), &json!(8)));
    assert!(!write(&world).is_error());

    let own = policies.path().join("50-own.cedar");
    fs::write(&own, NO_WRITING).unwrap();
    wait_until(|| write(&world).is_error().then_some(())).expect("the change is taken");
    let changed = policy(&world);
    assert_eq!(changed["policies"], 9);
    assert_ne!(changed["digest"], before["digest"]);

    fs::write(&own, "permit (principal").unwrap();
    wait_until(|| (check(&world, "policies") == "degraded").then_some(())).expect("it is seen");
    assert!(write(&world).is_error(), "the set from before is in force");
    let broken = policy(&world);
    assert_eq!(broken["digest"], changed["digest"]);
    let problem = broken["refused"]["problems"][0].as_str().unwrap().to_owned();
    assert!(problem.contains("50-own.cedar:1: "), "{problem}");
    assert!(world.log().contains("the new policies are not taken"), "{}", world.log());
    let ready = world.anonymous().get("/readyz?verbose");
    assert_eq!(ready.status, 200, "what worked before still does");
    for secret in ["cedar", policies.path().to_str().unwrap(), "acme"] {
        assert!(!ready.body.contains(secret), "anybody may ask: {}", ready.body);
    }

    fs::remove_file(&own).unwrap();
    wait_until(|| (!write(&world).is_error()).then_some(())).expect("the mended set is taken");
    assert_eq!(check(&world, "policies"), "ok");
    assert_eq!(policy(&world)["digest"], before["digest"], "the same files, the same digest");
    assert_eq!(policy(&world)["refused"], Value::Null);
}

#[test]
fn a_hangup_takes_new_policies_at_once() {
    let policies = policies();
    let mut world = world(&policies, "24h");
    fs::write(policies.path().join("50-own.cedar"), NO_WRITING).unwrap();
    assert!(!write(&world).is_error(), "nobody looked yet");
    world.process().hang_up();
    wait_until(|| write(&world).is_error().then_some(())).expect("the change is taken");
    assert!(world.log().contains("policies reloaded"), "{}", world.log());
}

#[test]
fn no_request_fails_while_policies_are_exchanged() {
    let policies = policies();
    let mut world = world(&policies, "100ms");
    let reader = world.acme();
    let done = std::sync::atomic::AtomicBool::new(false);
    let calls = std::sync::atomic::AtomicU32::new(0);
    let stop = || done.load(std::sync::atomic::Ordering::Relaxed);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let (reader, stop, calls) = (reader.clone(), &stop, &calls);
                scope.spawn(move || {
                    while !stop() {
                        let answer = reader.tool("retrieve_memories", json!({"query": "x"}));
                        let is_fine = answer.http.status == 200 && !answer.is_error();
                        assert!(is_fine, "{:?}", answer.http);
                        calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let own = policies.path().join("50-own.cedar");
        for round in 0..10 {
            fs::write(&own, NO_WRITING.replace("own.", &format!("own{round}."))).unwrap();
            world.process().hang_up();
            let wanted = 9;
            wait_until(|| (policy(&world)["policies"] == wanted).then_some(())).unwrap();
        }
        let enough = || calls.load(std::sync::atomic::Ordering::Relaxed) > 20;
        let called = wait_until(|| {
            (enough() || readers.iter().any(std::thread::ScopedJoinHandle::is_finished))
                .then_some(())
        });
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
        assert!(called.is_some() && enough());
    });
}

/// What the operator's command says about a request.
fn explain(world: &World, id: &str) -> (Ended, Value) {
    let ended = world.command(&["policy", "explain", id, "--json"]);
    let value = serde_json::from_str(&ended.stdout).unwrap_or(Value::Null);
    (ended, value)
}

#[test]
fn every_layer_that_refuses_says_so_to_the_operator() {
    let policies = policies();
    fs::write(policies.path().join("50-own.cedar"), NO_WRITING).unwrap();
    let world = World::with(&[
        ("MEMGATE_POLICY__DIRECTORY", policies.path().to_str().unwrap()),
        ("MEMGATE_LIMITS__TOOL_CALLS_PER_KEY", "1/1h"),
        ("MEMGATE_LIMITS__FAILURES", "1000/1s"),
    ]);
    let id = |answer: &crate::world::wire::Response| {
        answer.header("x-request-id").expect("an id").to_owned()
    };
    let canary = "heliotrope-canary";
    let host = world.anonymous().instead("host", &format!("{canary}.example")).get("/healthz");
    let origin = world.acme().with("origin", &format!("https://{canary}.example")).get("/healthz");
    let credential = world.bearer(&format!("{canary}-wrong")).post("/mcp", &json!({}));
    let role = world.acme().get("/admin/stats");
    let route = world.anonymous().get(&format!("/{canary}"));
    let arguments = world.acme().tool("store_memory", json!({canary: 1}));
    let tool = world.acme().tool(canary, json!({}));
    let denied = world.acme().tool("store_memory", json!({"content": canary}));
    let limited = world.acme().tool("retrieve_memories", json!({"query": canary}));
    for (answer, layer, status) in [
        (&host, "host", json!(403)),
        (&origin, "origin", json!(403)),
        (&credential, "credential", json!(401)),
        (&role, "route_policy", json!(403)),
        (&route, "route", json!(404)),
        (&arguments.http, "arguments", Value::Null),
        (&tool.http, "tool", Value::Null),
        (&denied.http, "tool_policy", Value::Null),
        (&limited.http, "tool_limit", Value::Null),
    ] {
        let (ended, said) = explain(&world, &id(answer));
        assert_eq!(ended.code, Some(0), "{layer}: {}", ended.stderr);
        assert_eq!((&said["layer"], &said["status"]), (&json!(layer), &status), "{said}");
        assert!(!said.to_string().contains(canary), "what was sent is not kept: {said}");
        let known = !["host", "origin", "credential", "route"].contains(&layer);
        assert_eq!(said["key"].is_string(), known, "{said}");
    }
    let (_, said) = explain(&world, &id(&denied.http));
    assert_eq!(said["rules"], json!(["own.no_writing"]));
    assert_eq!((&said["action"], &said["what"]), (&json!("memory_write"), &json!("store_memory")));
    assert_eq!((&said["key"], &said["resource"]), (&json!("env-acme"), &said["tenant"]));
    assert!(!denied.http.body.contains("own.no_writing"), "the caller reads no rule");
    assert!(denied.http.body.contains(&id(&denied.http)), "and reads the id: {:?}", denied.http);
    // In words, as people read it.
    let words = world.command(&["policy", "explain", &id(&denied.http)]);
    assert!(words.stdout.starts_with("refused by tool policy\n"), "{}", words.stdout);
    assert!(words.stdout.contains("own.no_writing"), "{}", words.stdout);
}

#[test]
fn what_was_not_refused_is_told_apart_and_agents_may_not_ask() {
    let mut world = World::start();
    let fine = world.acme().get("/healthz").header("x-request-id").unwrap().to_owned();
    for id in [fine.as_str(), "000000000000000"] {
        let (ended, _) = explain(&world, id);
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains("no refusal with this id"), "{}", ended.stderr);
        assert!(ended.stderr.contains("allowed"), "{}", ended.stderr);
    }
    assert_eq!(explain(&world, "../keys").0.code, Some(2));
    assert_eq!(world.acme().get(&format!("/admin/explain/{fine}")).status, 403);
    world.process().kill();
    assert!(explain(&world, &fine).0.stderr.contains("no server runs"));
}

#[test]
fn a_remembered_denial_still_names_its_policy() {
    let policies = policies();
    fs::write(policies.path().join("50-own.cedar"), NO_WRITING).unwrap();
    let world = world(&policies, "24h");
    for _ in 0..3 {
        let denied = write(&world);
        let id = denied.http.header("x-request-id").unwrap().to_owned();
        assert_eq!(explain(&world, &id).1["rules"], json!(["own.no_writing"]));
    }
}
