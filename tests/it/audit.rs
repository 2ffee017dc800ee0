//! The record of decisions (I10): one for each, in time, without secrets, and tampering shows.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write as _,
    path::PathBuf,
};

use memgate::domain::{
    key::{KeyId, PresentedKey},
    random::OsEntropy,
};
use serde_json::{Value, json};

use crate::world::{Caller, World, wait_until, wire::Response};

/// What the log holds, by the commands that a person would use.
pub(crate) fn records(world: &World, arguments: &[&str]) -> Vec<Value> {
    let mut all = vec!["audit", "export"];
    all.extend(arguments);
    let shown = world.command(&all);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    shown.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn request_id(response: &Response) -> String {
    response.header("x-request-id").unwrap().to_owned()
}

/// The only segment of a small log.
fn segment(world: &World) -> PathBuf {
    world.data().join("audit/000000000001.jsonl")
}

fn stopped(world: &mut World) {
    world.process().terminate();
    assert!(world.process().ended().success());
}

fn tool(caller: &Caller, name: &str, arguments: Value) -> Response {
    caller.tool(name, arguments).http
}

#[test]
fn i10_every_decision_leaves_one_record() {
    let mut world = World::with(&[("MEMGATE_LIMITS__TOOL_CALLS_PER_KEY", "5/60s")]);
    let (acme, operator) = (world.acme(), world.operator());
    let mut asked: Vec<(&str, &str, Response)> = Vec::new();
    let stored = acme.tool("store_memory", json!({"content": "a note"}));
    asked.push(("store_memory", "allowed", stored.http));
    let foreign = json!({"user_id": "globex"});
    asked.push(("get_user_stats", "denied", tool(&acme, "get_user_stats", foreign)));
    let wrong = json!({"memory_id": "nobody"});
    asked.push(("delete_memory", "refused", tool(&acme, "delete_memory", wrong)));
    asked.push(("store_memory", "refused", tool(&acme, "store_memory", json!({"x": 1}))));
    asked.push(("unknown tool", "refused", tool(&acme, "no_such_tool", json!({}))));
    asked.push(("tools/list", "allowed", acme.rpc("tools/list", json!({})).http));
    asked.push(("POST /mcp", "refused", acme.send("POST", "/mcp", Some("{".to_owned()))));
    asked.push(("GET /admin/keys", "denied", acme.get("/admin/keys")));
    asked.push(("POST /mcp", "denied", operator.rpc("tools/list", json!({})).http));
    asked.push(("GET /admin/keys", "allowed", operator.get("/admin/keys")));
    asked.push(("POST /admin/keys", "refused", operator.post("/admin/keys", &json!({"x": 1}))));
    let stranger = world.bearer("mg_nothing");
    asked.push(("GET /admin/keys", "unauthenticated", stranger.get("/admin/keys")));
    asked.push(("POST /mcp", "unauthenticated", stranger.rpc("tools/list", json!({})).http));
    asked.push(("GET -", "refused", world.anonymous().get("/nothing")));
    let foreign_page = acme.with("origin", "https://evil.example");
    // Refused before anybody asks where it goes.
    asked.push(("POST -", "denied", foreign_page.rpc("tools/list", json!({})).http));
    while let answer = tool(&acme, "get_user_stats", json!({}))
        && answer.status != 429
    {
        asked.push(("get_user_stats", "allowed", answer));
    }
    asked.push(("get_user_stats", "limited", tool(&acme, "get_user_stats", json!({}))));
    // What anybody may read is no decision.
    let open = [world.anonymous().get("/healthz"), world.anonymous().get("/readyz")];
    stopped(&mut world);

    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in records(&world, &[]) {
        if let Some(id) = record["request"].as_str() {
            found.entry(id.to_owned()).or_default().push(record);
        }
    }
    for (what, outcome, answer) in &asked {
        let of_it = found.get(&request_id(answer)).map_or(&[][..], Vec::as_slice);
        assert_eq!(of_it.len(), 1, "{what} {outcome}: {of_it:?}");
        assert_eq!(
            (&of_it[0]["what"], &of_it[0]["outcome"]),
            (&json!(what), &json!(outcome)),
            "{:?}",
            of_it[0]
        );
    }
    for answer in &open {
        assert!(!found.contains_key(&request_id(answer)));
    }
    let verified = world.command(&["audit", "verify"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
}

/// The one record of a request.
pub(crate) fn record(world: &World, answer: &Response) -> Value {
    // What nobody waits for is written within moments.
    let found = wait_until(|| {
        Some(records(world, &["--request", &request_id(answer)])).filter(|found| !found.is_empty())
    });
    let mut found = found.unwrap_or_else(|| panic!("no record of {answer:?}"));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn i10_an_error_inside_a_200_is_no_success() {
    let mut world = World::start();
    let (acme, session) = (world.acme(), world.acme().session());
    let mut asked: Vec<(&str, &str, Response)> = Vec::new();
    for (what, said, params) in [
        ("prompts/get", "prompts/get", json!({"name": "no_such_prompt"})),
        ("resources/list", "resources/list", json!({"cursor": "made up"})),
        ("tools/list", "tools/list", json!({"cursor": "made up"})),
        ("resources/read", "resources/read", json!({"uri": "file:///etc/passwd"})),
        ("tools/call", "tools/call", json!({"name": "store_memory", "arguments": []})),
        ("POST /mcp", "no/such/method", json!({})),
    ] {
        for answer in [acme.rpc(said, params.clone()), session.rpc(said, params)] {
            assert!(answer.code().is_some(), "{said}: {:?}", answer.http);
            asked.push((what, "refused", answer.http));
        }
    }
    assert!(asked.iter().filter(|(_, _, answer)| answer.status == 200).count() >= 6);
    for what in ["prompts/list", "resources/list", "tools/list"] {
        for answer in [acme.rpc(what, json!({})), session.rpc(what, json!({}))] {
            asked.push((what, "allowed", answer.http));
        }
    }
    stopped(&mut world);
    for (what, outcome, answer) in &asked {
        let record = record(&world, answer);
        let told = (&record["what"], &record["outcome"]);
        assert_eq!(told, (&json!(what), &json!(outcome)), "{record}");
        assert_eq!(record["layer"].is_null(), *outcome == "allowed", "{record}");
    }
}

#[test]
fn i10_every_tenant_that_is_looked_into_is_on_record() {
    let policies = tempfile::tempdir().unwrap();
    let own = "@id(\"own.not_initech\")
        forbid (principal, action, resource is Tenant) when { resource.label == \"initech\" };";
    for (name, text) in [
        ("10-agent.cedar", include_str!("../../policies/10-agent.cedar")),
        ("40-operator.cedar", include_str!("../../policies/40-operator.cedar")),
        ("50-own.cedar", own),
    ] {
        fs::write(policies.path().join(name), text).unwrap();
    }
    let mut world =
        World::with(&[("MEMGATE_POLICY__DIRECTORY", policies.path().to_str().unwrap())]);
    assert_eq!(world.command(&["tenant", "create", "initech"]).code, Some(0));
    let wish = json!({"tenant": "acme", "act_as": ["globex", "initech"]});
    let caller = world.new_key(&wish).caller;
    let listed = caller.tool("list_users", json!({}));
    assert!(listed.text().contains("globex") && !listed.text().contains("initech"));
    // The same tenant, named: the record is about it and not about the caller's own.
    let named = caller.tool("get_user_stats", json!({"user_id": "initech"}));
    assert!(named.is_error());
    let tenants = world.operator().get("/admin/tenants").json();
    stopped(&mut world);

    let id = |label: &str| {
        let all = tenants["tenants"].as_array().unwrap();
        all.iter().find(|tenant| tenant["label"] == label).unwrap()["id"].clone()
    };
    let mut found = records(&world, &["--request", &request_id(&listed.http)]);
    let told = |record: &Value| {
        let text = |name: &str| record[name].as_str().unwrap_or("-").to_owned();
        assert_eq!((text("event"), text("action")), ("call".to_owned(), "usage_read".to_owned()));
        [text("what"), text("resource"), text("outcome"), text("layer")]
            .map(|text| text.replace(id("initech").as_str().unwrap(), "initech"))
            .map(|text| text.replace(id("globex").as_str().unwrap(), "globex"))
            .map(|text| text.replace(id("acme").as_str().unwrap(), "acme"))
    };
    found.sort_by_key(told);
    let all: Vec<_> = found.iter().map(told).collect();
    assert_eq!(
        all,
        [
            ["list_users", "acme", "allowed", "-"],
            ["list_users", "globex", "allowed", "-"],
            ["list_users", "initech", "denied", "tool_policy"],
        ]
    );
    assert_eq!(found[2]["policies"], json!(["own.not_initech"]));
    let named = record(&world, &named.http);
    assert_eq!((&named["resource"], &named["outcome"]), (&id("initech"), &json!("denied")));
}

#[test]
fn i10_a_refused_credential_is_told_from_others() {
    let mut world = World::start();
    let elsewhere = json!({"tenant": "acme", "from": ["192.0.2.0/24"]});
    let (elsewhere, revoked) = (world.new_key(&elsewhere), world.second_of_acme());
    assert_eq!(world.operator().delete(&format!("/admin/keys/{}", revoked.id)).status, 204);
    let known = world.second_of_acme();
    let guess = PresentedKey::renewed(KeyId::parse(&known.id).unwrap(), &OsEntropy).reveal();
    let typed = known.secret.replace(&known.id, "000000000000");
    let asked = [
        (elsewhere.caller.clone(), json!(elsewhere.id), "used from outside its networks"),
        (revoked.caller.clone(), json!(revoked.id), "revoked or expired"),
        (world.bearer(guess.expose()), json!(known.id), "no such key, or not its secret"),
        (world.bearer(&typed), Value::Null, "not a key"),
        (
            world.anonymous().with("authorization", "Basic eDp5"),
            Value::Null,
            "no scheme that is known",
        ),
    ];
    let none = world.anonymous().get("/mcp");
    let answers: Vec<_> = asked.iter().map(|(caller, ..)| caller.get("/mcp")).collect();
    stopped(&mut world);
    for ((_, claimed, detail), answer) in asked.iter().zip(&answers) {
        assert_eq!((answer.status, &answer.body), (401, &none.body), "{detail}");
        let record = record(&world, answer);
        assert_eq!(record["outcome"], "unauthenticated");
        assert_eq!((&record["who"]["claimed"], &record["detail"]), (claimed, &json!(detail)));
        assert!(record["who"]["key"].is_null() && record["who"]["tenant"].is_null(), "{record}");
    }
    let of_key = records(&world, &["--key", &elsewhere.id]);
    assert_eq!(of_key.len(), 1, "found by the id: {of_key:?}");
    let shown = world.command(&["audit", "tail", "--key", &elsewhere.id]).stdout;
    assert!(shown.contains(&format!("{}?", elsewhere.id)), "{shown}");
    assert!(shown.contains("credential: used from outside its networks"), "{shown}");
    let text = fs::read_to_string(segment(&world)).unwrap();
    for secret in [&elsewhere.secret, &revoked.secret, guess.expose(), &typed] {
        let secret = &secret[16..];
        assert!(!text.contains(secret), "i5: a refused credential is in the log");
    }
}

#[test]
fn i4_a_hidden_tool_is_an_unknown_one_and_on_record_as_itself() {
    let mut world = World::start();
    let wish = json!({"tenant": "acme", "tools": ["retrieve_memories"]});
    let caller = world.new_key(&wish).caller;
    let hidden = caller.tool("delete_memory", json!({"memory_id": "x"}));
    let unknown = caller.tool("no_such_tool", json!({"memory_id": "x"}));
    let plain = |answer: &crate::world::Answer| {
        let answer = &answer.http;
        (answer.status, answer.body.replace(&request_id(answer), ""))
    };
    assert_eq!(plain(&hidden), plain(&unknown));
    stopped(&mut world);
    for (answer, what, action, outcome) in [
        (&hidden, "delete_memory", "memory_delete", "denied"),
        (&unknown, "unknown tool", "connect", "refused"),
    ] {
        let record = record(&world, &answer.http);
        assert_eq!(
            (&record["what"], &record["action"], &record["outcome"], &record["layer"]),
            (&json!(what), &json!(action), &json!(outcome), &json!("tool"))
        );
    }
}

#[test]
fn i5_a_key_in_the_name_of_a_client_is_masked() {
    let world = World::start();
    let made = world.second_of_acme();
    let token = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJl";
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": format!("app {}", made.secret), "version": token}}});
    let caller = made.caller.with("accept", "application/json, text/event-stream");
    let opened = caller.post("/mcp", &hello);
    let session = caller.with("mcp-session-id", opened.header("mcp-session-id").unwrap());
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {
        "name": "store_memory", "arguments": {"content": "a note"}}});
    assert_eq!(session.post("/mcp", &call).status, 200);
    let operator = world.operator();
    let shown = [
        operator.get("/admin/sessions").body,
        operator.get("/admin/audit?what=store_memory").body,
        operator.get("/admin/audit?format=csv").body,
        operator.get(&format!("/admin/keys/{}", made.id)).body,
    ];
    for text in &shown {
        assert!(!text.contains(&made.secret[16..30]) && !text.contains("eyJhbGci"), "{text}");
    }
    assert!(shown[1].contains("app mg_…") && shown[1].contains("ey…"), "{}", shown[1]);
}

#[test]
fn i10_a_record_says_who_what_and_by_which_rule() {
    let mut world = World::start();
    let made = world.second_of_acme();
    let tenant = world.operator().get("/admin/keys").json()["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["id"] == made.id.as_str())
        .map(|key| key["tenant"].clone())
        .unwrap();
    made.caller.store("a note");
    let revoked = world.operator().delete(&format!("/admin/keys/{}", made.id));
    assert_eq!(revoked.status, 204);
    stopped(&mut world);

    let stored = &records(&world, &["--what", "store_memory"])[0];
    assert_eq!(stored["who"]["key"], made.id.as_str());
    assert_eq!(stored["who"]["label"], tenant);
    assert_eq!(stored["who"]["tenant"], stored["resource"]);
    assert_eq!(stored["who"]["address"], "127.0.0.1");
    assert!(stored["who"]["client"]["name"].is_string(), "{stored}");
    assert_eq!(stored["action"], "memory_write");
    assert_eq!(stored["policies"], json!(["agent.memory"]));
    let digest = stored["arguments"]["content"].as_str().unwrap();
    assert_eq!(digest.len(), 32);
    for (action, rule) in [("key_create", "operator.change"), ("key_revoke", "operator.change")] {
        let record = &records(&world, &["--action", action])[0];
        assert_eq!(record["target"], made.id.as_str(), "{record}");
        assert_eq!(record["policies"], json!([rule]));
        assert_eq!(
            (&record["who"]["role"], &record["resource"]),
            (&json!("operator"), &json!("deployment"))
        );
    }
    let events: Vec<_> = records(&world, &[]).iter().map(|r| r["event"].clone()).collect();
    assert_eq!((&events[0], events.last().unwrap()), (&json!("start"), &json!("stop")));
}

#[test]
fn i10_a_change_is_on_record_before_it_is_answered() {
    let mut world = World::start();
    for n in 0..6 {
        // One change in a life: the record of a second one would take the first along.
        let answer = if n % 2 == 0 {
            world.acme().tool("store_memory", json!({"content": format!("note {n}")})).http
        } else {
            world.operator().post("/admin/keys", &json!({"tenant": "acme"}))
        };
        // No moment in between: what was answered is on the disk.
        world.process().kill();
        let found = records(&world, &["--request", &request_id(&answer)]);
        assert_eq!(found.len(), 1, "run {n}: {found:?}");
        assert_eq!(found[0]["outcome"], "allowed");
        world.restart();
    }
    stopped(&mut world);
    let verified = world.command(&["audit", "verify"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
}

#[test]
fn i5_nothing_that_was_said_and_no_key_is_in_the_record() {
    let mut world = World::start();
    let planted = ["the-planted-memory", "planted-tag", "planted query", "planted-undeclared"];
    let acme = world.acme();
    acme.tool("store_memory", json!({"content": planted[0], "tags": [planted[1]]}));
    acme.tool("retrieve_memories", json!({"query": planted[2]}));
    acme.tool("store_memory", json!({planted[3]: planted[3]}));
    acme.tool(planted[3], json!({}));
    acme.rpc(planted[3], json!({}));
    world.bearer(planted[3]).get(&format!("/{}", planted[3]));
    let made = world.second_of_acme();
    stopped(&mut world);
    let mut text = String::new();
    for entry in fs::read_dir(world.data().join("audit")).unwrap() {
        text += &fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    let secrets = World::secrets();
    for secret in planted.iter().chain(&secrets).chain([&made.secret.as_str()]) {
        assert!(!text.contains(*secret), "{secret} is in the log");
    }
}

#[test]
fn i10_what_is_done_to_the_files_is_found_and_told() {
    let mut world = World::start();
    for n in 0..4 {
        world.acme().store(&format!("note {n}"));
    }
    stopped(&mut world);
    let verify = |world: &World| world.command(&["audit", "verify"]);
    let good = fs::read_to_string(segment(&world)).unwrap();
    assert_eq!(verify(&world).code, Some(0));
    let lines: Vec<_> = good.lines().collect();
    let put = |lines: &[&str]| fs::write(segment(&world), lines.join("\n") + "\n").unwrap();

    let changed = good.replacen("store_memory", "delete_memory", 1);
    fs::write(segment(&world), changed).unwrap();
    let told = verify(&world);
    assert_eq!(told.code, Some(1));
    assert!(
        told.stderr.contains("was changed") && told.stderr.contains("line "),
        "{}",
        told.stderr
    );
    assert!(told.stdout.contains("NOT sound"), "{}", told.stdout);

    let mut fewer = lines.clone();
    fewer.remove(3);
    put(&fewer);
    assert!(verify(&world).stderr.contains("record 4 is missing"));
    put(&lines[..3]);
    assert!(verify(&world).stderr.contains("its end was cut off"));
    let json = world.command(&["audit", "verify", "--json"]);
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.code, &report["sound"]), (Some(1), &json!(false)));

    // The next start says it too, and does not make it good.
    world.restart();
    assert!(world.log().contains("the audit log is not as it was left"), "{}", world.log());
    let stats = world.operator().get("/admin/stats").json();
    assert!(
        stats["audit"]["trouble"][0].as_str().unwrap().contains("cut off"),
        "{}",
        stats["audit"]
    );
    assert_eq!(verify(&world).code, Some(1));
}

#[test]
fn a_log_can_be_verified_and_followed_while_it_grows() {
    let world = World::start();
    let log = |world: &World| world.operator().get("/admin/stats").json()["audit"].clone();
    for n in 0..20 {
        world.acme().store(&format!("note {n}"));
        let verified = world.command(&["audit", "verify"]);
        assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
    }
    let tail = world.command(&["audit", "tail", "-n", "3", "--what", "store_memory"]);
    assert_eq!(tail.stdout.lines().count(), 4, "{}", tail.stdout);
    assert!(tail.stdout.contains("agent.memory"), "{}", tail.stdout);
    let head = log(&world)["head"].clone();
    let kept = format!("{}:{}", head["seq"], head["hash"].as_str().unwrap());
    world.acme().store("one more");
    assert_eq!(world.command(&["audit", "verify", "--head", &kept]).code, Some(0));
    let other = format!("{}:{}", head["seq"], "0".repeat(64));
    assert_eq!(world.command(&["audit", "verify", "--head", &other]).code, Some(1));
}

/// Fills what is left of the file system of the audit log; undone when the file is removed.
fn fill(world: &mut World) -> PathBuf {
    let audit = world.data().join("audit");
    let filler = format!("/proc/{}/root{}/filler", world.process().pid(), audit.display());
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[7; 512]).is_ok() {}
    PathBuf::from(filler)
}

#[test]
fn i9_a_full_log_saves_no_key() {
    let Some(mut world) = World::on_disk_of("1m", "audit") else {
        println!("not tested: this user may mount nothing");
        return;
    };
    let stolen = world.second_of_acme();
    let session = stolen.caller.session();
    fill(&mut world);
    let store = || world.acme().tool("store_memory", json!({"content": "a note"})).http.status;
    wait_until(|| (store() == 503).then_some(())).expect("the log is full");
    let operator = world.operator();
    let listed = operator.get("/admin/sessions").json();
    let id = listed["sessions"][0]["id"].as_str().unwrap().to_owned();
    assert!(operator.delete(&format!("/admin/sessions/{id}")).body.contains("this was done"));
    let revoked = operator.delete(&format!("/admin/keys/{}", stolen.id));
    assert!(revoked.body.contains("this was done"), "{revoked:?}");
    assert_eq!(stolen.caller.rpc("tools/list", json!({})).http.status, 401);
    assert_eq!(session.rpc("tools/list", json!({})).http.status, 401);
}

#[test]
fn i10_without_room_for_a_record_nothing_is_changed() {
    let Some(mut world) = World::on_disk_of("1m", "audit") else {
        println!("not tested: this user may mount nothing");
        return;
    };
    let store = |world: &World| world.acme().tool("store_memory", json!({"content": "a note"}));
    assert_eq!(store(&world).http.status, 200);
    let filler = fill(&mut world);
    let inside = filler.parent().unwrap();

    // The page that the log has begun may still take a record or two.
    let refused = wait_until(|| Some(store(&world)).filter(|answer| answer.http.status == 503));
    let refused = refused.expect("a log that is full refuses changes");
    assert!(refused.http.body.contains("audit log cannot be written"), "{}", refused.http.body);
    assert!(refused.http.header("retry-after").is_some());
    let stats = |world: &World| world.operator().get("/admin/stats").json();
    let before = stats(&world)["tools"]["store_memory"]["done"].clone();
    wait_until(|| (stats(&world)["audit"]["writable"] == false).then_some(())).unwrap();
    let again = store(&world);
    assert!(again.http.body.contains("nothing is changed"), "{}", again.http.body);
    let key = world.operator().post("/admin/keys", &json!({"tenant": "acme"}));
    assert_eq!(key.status, 503, "{}", key.body);
    let found = world.acme().tool("retrieve_memories", json!({"query": "note"}));
    assert_eq!((found.http.status, found.is_error()), (200, false), "reading goes on");
    assert_eq!(stats(&world)["audit"]["writable"], false);
    let ready = world.anonymous().get("/readyz?verbose").json();
    assert!(
        ready["checks"]
            .as_array()
            .unwrap()
            .contains(&json!({"name": "audit", "state": "degraded"}))
    );
    assert_eq!(stats(&world)["tools"]["store_memory"]["done"], before);

    fs::remove_file(&filler).unwrap();
    wait_until(|| (store(&world).http.status == 200).then_some(())).expect("room shows");
    // What was decided meanwhile was not forgotten.
    let copy = world.data().with_extension("copy");
    wait_until(|| {
        fs::create_dir_all(&copy).unwrap();
        for entry in fs::read_dir(inside).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
        }
        let shown = world.command(&[
            "audit",
            "export",
            "--dir",
            copy.to_str().unwrap(),
            "--request",
            &request_id(&refused.http),
        ]);
        (shown.stdout.lines().count() == 1).then_some(())
    })
    .expect("the refusal is on record");
}

#[test]
fn a_digest_tells_whether_a_text_was_the_argument() {
    let world = World::start();
    world.acme().store("the memory");
    let record = &records(&world, &["--what", "store_memory"])[0];
    let digest =
        |text: &str| world.command_with(&["audit", "digest"], text).stdout.trim().to_owned();
    assert_eq!(record["arguments"]["content"], digest("the memory"));
    assert_ne!(record["arguments"]["content"], digest("another memory"));
}

#[test]
fn commands_without_a_server_are_on_record_too() {
    let mut world = World::start();
    stopped(&mut world);
    let made = world.command(&["key", "create", "--tenant", "acme", "--json"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let made: Value = serde_json::from_str(&made.stdout).unwrap();
    let record = records(&world, &["--action", "key_create"]).pop().unwrap();
    assert_eq!((&record["event"], &record["target"]), (&json!("command"), &made["id"]));
    assert_eq!(world.command(&["audit", "verify"]).code, Some(0));
}

#[test]
fn an_operator_reads_and_verifies_the_record_over_http() {
    let world = World::start();
    let named = world.acme();
    named.tool("store_memory", json!({"content": "a note"}));
    let foreign = named.tool("get_user_stats", json!({"user_id": "globex"}));
    let operator = world.operator();
    // What nobody waits for is written within moments.
    let denied = wait_until(|| {
        let answer = operator.get("/admin/audit?outcome=denied&what=get_user_stats").json();
        answer["records"].as_array().unwrap().first().cloned()
    })
    .unwrap();
    assert_eq!(denied["request"], request_id(&foreign.http).as_str());
    let lines = operator.get("/admin/audit?format=jsonl&what=store_memory&limit=1");
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    let line: Value = serde_json::from_str(lines.body.trim_end()).unwrap();
    assert_eq!(line["action"], "memory_write");
    let table = operator.get("/admin/audit?format=csv");
    assert_eq!(table.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(table.body.starts_with("seq,time,event,"), "{}", table.body);
    let report = operator.get("/admin/audit/verify").json();
    assert_eq!((&report["sound"], &report["first"]), (&json!(true), &json!(1)));
    for bad in ["limit=100000", "limit=x", "nothing=1", "format=xml", "since=yesterday"] {
        assert_eq!(operator.get(&format!("/admin/audit?{bad}")).status, 400, "{bad}");
    }
    for path in ["/admin/audit", "/admin/audit/verify"] {
        assert_eq!(world.acme().get(path).status, 403);
        assert_eq!(world.anonymous().get(path).status, 401);
    }
}
