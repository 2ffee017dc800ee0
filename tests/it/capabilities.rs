//! What a key may not: every bound allows inside, refuses outside, in both eras of the protocol,
//! and a key goes over to a new secret without a request failing.

#![expect(clippy::needless_pass_by_value, reason = "arguments are made where they are sent")]

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use crate::world::{Answer, Caller, LegacySession, NewKey, World, wait_until};

/// A key of `acme` with these bounds.
fn bounded(world: &World, bounds: &Value) -> NewKey {
    let mut wish = json!({"tenant": "acme", "name": "bounded"});
    wish.as_object_mut().unwrap().extend(bounds.as_object().unwrap().clone());
    world.new_key(&wish)
}

/// The same caller in each era of the protocol.
enum Era {
    Stateless(Caller),
    Session(Box<LegacySession>),
}

impl Era {
    fn both(caller: &Caller) -> [Self; 2] {
        [Self::Stateless(caller.clone()), Self::Session(Box::new(caller.session()))]
    }

    fn rpc(&self, method: &str, params: Value) -> Answer {
        match self {
            Self::Stateless(caller) => caller.rpc(method, params),
            Self::Session(session) => session.rpc(method, params),
        }
    }

    fn tool(&self, name: &str, arguments: Value) -> Answer {
        self.rpc("tools/call", json!({"name": name, "arguments": arguments}))
    }

    fn tools(&self) -> Vec<String> {
        let listed = self.rpc("tools/list", json!({}));
        let tools = listed.value["result"]["tools"].as_array().expect("a list").iter();
        tools.map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }
}

/// A tool that this key has not got is a tool that there is not.
fn assert_no_tool(era: &Era, tool: &str) {
    let answer = era.tool(tool, json!({}));
    let nowhere = era.tool("no_such_tool", json!({}));
    assert_eq!(answer.code(), Some(-32602), "{tool}: {:?}", answer.http);
    assert_eq!(answer.value["error"]["message"], nowhere.value["error"]["message"]);
}

#[test]
fn a_key_with_single_tools_calls_those_and_sees_no_other() {
    let world = World::start();
    let key = bounded(&world, &json!({"tools": ["store_memory", "get_user_stats"]}));
    for era in Era::both(&key.caller) {
        assert_eq!(era.tools(), ["store_memory", "get_user_stats"]);
        assert!(!era.tool("store_memory", json!({"content": "x"})).is_error());
        assert!(!era.tool("get_user_stats", json!({})).is_error());
        for other in ["retrieve_memories", "delete_memory", "add_memory", "echo"] {
            assert_no_tool(&era, other);
        }
        // What is no tool is not a way around it: none of its tools reads a memory.
        let listed = era.rpc("resources/list", json!({}));
        assert!(listed.code().is_some(), "{:?}", listed.http);
        let prompts = era.rpc("prompts/list", json!({}));
        let prompts = prompts.value["result"]["prompts"].as_array().unwrap();
        assert_eq!(prompts.len(), 1, "{prompts:?}");
        let page = era.rpc("resources/read", json!({"uri": "info://server-capabilities"}));
        assert!(!page.http.body.contains("delete_memory"), "{}", page.http.body);
    }
}

#[test]
fn a_key_that_reads_changes_nothing() {
    let world = World::start();
    let id = world.acme().store("the red bus");
    let key = bounded(&world, &json!({"access": "read"}));
    for era in Era::both(&key.caller) {
        let tools = era.tools();
        assert!(tools.contains(&"retrieve_memories".to_owned()), "{tools:?}");
        for writer in ["store_memory", "update_memory", "delete_memory", "add_memory"] {
            assert!(!tools.contains(&writer.to_owned()), "{tools:?}");
            assert_no_tool(&era, writer);
        }
        let read = era.tool("get_memory_content", json!({"memory_id": id}));
        assert!(read.text().contains("the red bus"));
        assert!(era.rpc("resources/list", json!({})).http.body.contains(&id));
    }
    let operator = world.new_key(&json!({"role": "operator", "name": "o", "access": "read"}));
    assert_eq!(operator.caller.get("/admin/keys").status, 200);
    let wish = json!({"tenant": "acme", "name": "x"});
    assert_eq!(operator.caller.post("/admin/keys", &wish).status, 403);
    assert_eq!(operator.caller.delete(&format!("/admin/keys/{}", key.id)).status, 403);
}

/// Three memories of `acme`: tagged `work`, tagged `home`, and without a tag.
fn three(world: &World) -> [String; 3] {
    [Some("work,Shared"), Some("home"), None].map(|tags| {
        let mut arguments = json!({"content": format!("red {}", tags.unwrap_or("none"))});
        if let Some(tags) = tags {
            arguments["tags"] = json!(tags);
        }
        let answer = world.acme().tool("store_memory", arguments);
        answer.structured()["memory_id"].as_str().expect("an id").to_owned()
    })
}

#[test]
fn i4_a_key_with_tags_sees_no_other_memory_anywhere() {
    let world = World::start();
    let [work, home, bare] = three(&world);
    let key = bounded(&world, &json!({"tags": ["WORK"]}));
    let none = "20200101_000000_none.txt";
    for era in Era::both(&key.caller) {
        for arguments in [json!({"query": "red"}), json!({}), json!({"tag_filter": "home"})] {
            let found = era.tool("retrieve_memories", arguments.clone());
            assert!(!found.is_error(), "{:?}", found.http);
            let wanted = arguments["tag_filter"] != "home";
            assert_eq!(found.http.body.contains(&work), wanted, "{arguments}");
            assert!(!found.http.body.contains(&home) && !found.http.body.contains(&bare));
        }
        let unknown = |tool: &str, id: &str| {
            let arguments = match tool {
                "update_memory" => json!({"memory_id": id, "description": "mine"}),
                _ => json!({"memory_id": id}),
            };
            let answer = era.tool(tool, arguments);
            assert!(answer.is_error(), "{tool} {id}: {:?}", answer.http);
            answer.text().replace(id, "ID").split("request").next().unwrap().to_owned()
        };
        for tool in ["get_memory_content", "update_memory", "delete_memory"] {
            let missing = unknown(tool, none);
            assert_eq!(
                [&home, &bare].map(|id| unknown(tool, id)),
                [&missing, &missing].map(Clone::clone)
            );
        }
        let stats = era.tool("get_user_stats", json!({}));
        let stats = stats.structured();
        assert_eq!((&stats["total_memories"], &stats["unique_tags"]), (&json!(1), &json!(2)));
        let listed = era.rpc("resources/list", json!({})).http.body;
        assert!(listed.contains(&work) && !listed.contains(&home) && !listed.contains(&bare));
        let read = |id: &str| era.rpc("resources/read", json!({"uri": format!("memory://{id}")}));
        assert!(read(&work).http.body.contains("red work"));
        assert_eq!(read(&home).code(), read(none).code());
        let complete = |reference: Value, argument: &str| {
            let argument = json!({"name": argument, "value": ""});
            let answer =
                era.rpc("completion/complete", json!({"ref": reference, "argument": argument}));
            answer.value["result"]["completion"]["values"].clone()
        };
        let prompt = json!({"type": "ref/prompt", "name": "retrieve_memory_prompt"});
        let tags = complete(prompt, "tag_filter");
        let tags: BTreeSet<_> = tags.as_array().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(tags.len(), 2, "{tags:?}");
        let uri = json!({"type": "ref/resource", "uri": "memory://{id}"});
        assert_eq!(complete(uri, "id"), json!([work]));
    }
    assert_eq!(world.acme().tool("get_user_stats", json!({})).structured()["total_memories"], 3);
}

#[test]
fn what_a_key_with_tags_stores_is_in_its_reach_and_stays_there() {
    let world = World::start();
    let key = bounded(&world, &json!({"tags": ["work", "team"]}));
    let other = bounded(&world, &json!({"tags": ["home"]}));
    for (era, them) in Era::both(&key.caller).iter().zip(Era::both(&other.caller)) {
        let stored = era.tool("store_memory", json!({"content": "mine", "tags": "own"}));
        let id = stored.structured()["memory_id"].as_str().unwrap().to_owned();
        let shown = era.tool("get_memory_content", json!({"memory_id": id})).http.body;
        for tag in ["own", "work", "team"] {
            assert!(shown.contains(tag), "{tag}: {shown}");
        }
        let change = json!({"memory_id": id, "tags": "other", "content": "changed"});
        assert!(!era.tool("update_memory", change).is_error());
        let shown = era.tool("get_memory_content", json!({"memory_id": id}));
        assert!(!shown.is_error() && shown.text().contains("changed"), "it is still there");
        assert!(them.tool("get_memory_content", json!({"memory_id": id})).is_error());
        let talk = json!({"user_input": "hi", "agent_response": "ho"});
        assert!(!era.tool("add_memory", talk).is_error());
        let found = era.tool("retrieve_memory", json!({"query": "hi"})).http.body;
        assert!(found.contains("ho"), "{found}");
        let foreign = them.tool("retrieve_memory", json!({"query": "hi"})).http.body;
        assert!(!foreign.contains("\"ho\""), "{foreign}");
        assert!(!era.tool("delete_memory", json!({"memory_id": id})).is_error());
    }
}

#[test]
fn i4_a_key_from_elsewhere_or_at_another_time_is_a_wrong_key() {
    let world = World::start();
    let weekday = now().to_zoned(TimeZone::UTC).weekday().to_monday_zero_offset().unsigned_abs();
    let other = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][usize::from(weekday + 3) % 7];
    let here = bounded(
        &world,
        &json!({"from": ["127.0.0.0/8", "::1"],
        "hours": "daily 00:00-24:00 Europe/Berlin"}),
    );
    for era in Era::both(&here.caller) {
        assert!(!era.tools().is_empty());
    }
    let wrong = world.bearer("a-key-that-nobody-ever-made-012345").get("/mcp");
    for bounds in [
        json!({"from": ["10.0.0.0/8", "192.0.2.7"]}),
        json!({"hours": format!("{other} 10:00-12:00 UTC")}),
    ] {
        let key = bounded(&world, &bounds);
        for caller in [
            key.caller.clone(),
            key.caller.with("x-forwarded-for", "10.0.0.1"),
            key.caller.with("x-real-ip", "10.0.0.1"),
        ] {
            let refused = caller.get("/mcp");
            assert_eq!(refused.status, 401, "{bounds}");
            let plain = |body: &Value, own: &str| body.to_string().replace(own, "");
            let id =
                |r: &crate::world::wire::Response| r.header("x-request-id").unwrap().to_owned();
            assert_eq!(
                plain(&refused.json(), &id(&refused)),
                plain(&wrong.json(), &id(&wrong)),
                "one answer for all of them"
            );
            assert_eq!(refused.header("www-authenticate"), wrong.header("www-authenticate"));
        }
        let shown = world.operator().get(&format!("/admin/keys/{}", key.id)).json();
        assert!(shown["last_use"].is_null(), "{shown}");
    }
}

#[expect(clippy::disallowed_methods, reason = "the process under test has the machine's clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

#[test]
fn a_rate_class_takes_the_place_of_the_rate_of_all_keys() {
    let file =
        "[limits]\nper_key = \"5/1h\"\n[limits.classes]\nslow = \"2/1h\"\nfast = \"500/1h\"\n";
    let world = World::with_file(file, &[]);
    let [slow, fast] = ["slow", "fast"].map(|class| bounded(&world, &json!({"rate_class": class})));
    let list = |key: &NewKey| key.caller.rpc("tools/list", json!({})).http;
    assert_eq!([list(&slow).status, list(&slow).status], [200, 200]);
    let refused = list(&slow);
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(refused.header("ratelimit-policy"), Some("\"requests\";q=2;w=3600"));
    for _ in 0..8 {
        assert_eq!(list(&fast).status, 200, "more than `limits.per_key`");
    }
    let wish = json!({"tenant": "acme", "name": "x", "rate_class": "ci"});
    let refused = world.operator().post("/admin/keys", &wish);
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(refused.body.contains("fast, slow"), "{}", refused.body);
}

#[test]
fn i3_a_key_is_asked_for_strictly_and_told_what_is_wrong() {
    let world = World::start();
    for (bounds, word) in [
        (json!({"tool": ["echo"]}), "unknown field `tool`"),
        (json!({"tools": []}), "leave it out"),
        (json!({"tools": ["fly"]}), "store_memory"),
        (json!({"access": "none"}), "none"),
        (json!({"tags": ["a", "A"]}), "twice"),
        (json!({"from": ["10.1.2.3/8"]}), "did you mean `10.0.0.0/8`?"),
        (json!({"from": "10.0.0.0/8"}), "sequence"),
        (json!({"hours": "nine to five"}), "mon-fri 08:00-18:00 Europe/Berlin"),
        (json!({"hours": "mon 08:00-09:00 Mars/Base"}), "Mars/Base"),
        (json!({"access": "read", "tools": ["store_memory"]}), "leave one out"),
        (json!({"packs": ["demo"], "tools": ["store_memory"]}), "add that pack"),
    ] {
        let mut wish = json!({"tenant": "acme", "name": "x"});
        wish.as_object_mut().unwrap().extend(bounds.as_object().unwrap().clone());
        let refused = world.operator().post("/admin/keys", &wish);
        assert_eq!(refused.status, 400, "{bounds}: {refused:?}");
        let detail = refused.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(detail.contains(word), "{bounds}: {detail}");
    }
    let keys = world.operator().get("/admin/keys").json();
    let made = keys["keys"].as_array().unwrap().iter().filter(|key| key["name"] == "x");
    assert_eq!(made.count(), 0, "{keys}");
}

#[test]
fn bounds_outlive_a_restart() {
    let mut world = World::start();
    let key = bounded(&world, &json!({"tools": ["get_user_stats"], "tags": ["work"]}));
    world.restart();
    let caller = world.bearer(&key.secret);
    assert_eq!(Era::Stateless(caller).tools(), ["get_user_stats"]);
}

/// A new secret for a key, and who uses it.
fn rotate(world: &World, id: &str, overlap: &str) -> Caller {
    let body = json!({"overlap": overlap});
    let answer = world.operator().post(&format!("/admin/keys/{id}/rotate"), &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    world.bearer(answer.json()["secret"].as_str().expect("a secret"))
}

#[test]
fn a_client_goes_over_to_a_new_secret_without_one_failing_request() {
    /// Ends the workers, whatever becomes of the test.
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let plenty = "1000000/60s";
    let world = World::with(&[
        ("MEMGATE_LIMITS__PER_KEY", plenty),
        ("MEMGATE_LIMITS__PER_ADDRESS", plenty),
    ]);
    let key = bounded(&world, &json!({}));
    let session = key.caller.session();
    let (turned, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    let done = AtomicUsize::new(0);
    let next: std::sync::OnceLock<Caller> = std::sync::OnceLock::new();
    thread::scope(|scope| {
        for worker in 0..3 {
            let (key, session, next) = (&key, &session, &next);
            let (turned, stop, done) = (&turned, &stop, &done);
            scope.spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let over = turned.load(Ordering::SeqCst);
                    let caller = if over { next.get().unwrap() } else { &key.caller };
                    let answer = if worker == 0 {
                        let used = session.used_by(caller);
                        let call = json!({"name": "get_user_stats", "arguments": {}});
                        LegacySession::rpc_by(&used, "tools/call", call)
                    } else {
                        caller.tool("get_user_stats", json!({}))
                    };
                    assert_eq!(answer.http.status, 200, "{over} {:?}", answer.http);
                    assert!(!answer.is_error());
                    done.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let _stop = Stop(&stop);
        let more = || {
            let from = done.load(Ordering::SeqCst);
            wait_until(|| (done.load(Ordering::SeqCst) > from + 20).then_some(())).unwrap();
        };
        more();
        let new = rotate(&world, &key.id, "1h");
        assert!(next.set(new).is_ok());
        more();
        turned.store(true, Ordering::SeqCst);
        more();
        // Everybody has gone over: the old secret is ended at once, and nobody notices.
        let newest = rotate(&world, &key.id, "1h");
        more();
        assert_eq!(key.caller.rpc("tools/list", json!({})).http.status, 401, "the oldest of three");
        assert_eq!(newest.rpc("tools/list", json!({})).http.status, 200);
    });
}

#[test]
fn i9_an_old_secret_and_what_it_has_open_end_with_the_overlap() {
    let world = World::start();
    let key = bounded(&world, &json!({}));
    let stream = key.caller.session().stream();
    assert_eq!(stream.head.status, 200, "{:?}", stream.head);
    let new = rotate(&world, &key.id, "1s");
    let kept = new.session().stream();
    let status = |caller: &Caller| caller.rpc("tools/list", json!({})).http.status;
    let shown = world.operator().get(&format!("/admin/keys/{}", key.id)).json();
    assert!(shown["old_works_until"].is_string() || status(&key.caller) == 401, "{shown}");
    wait_until(|| (status(&key.caller) == 401).then_some(())).expect("it ends");
    let ended = now();
    stream.rest().expect("the stream is closed by the server");
    assert!(now().duration_since(ended).as_secs() <= 5);
    assert_eq!(status(&new), 200);
    let live = world.operator().get("/admin/sessions").json();
    let streams = live["sessions"].as_array().unwrap().iter().map(|s| s["open_streams"].as_u64());
    assert_eq!(streams.flatten().sum::<u64>(), 1, "the new secret's stream goes on: {live}");
    world.operator().delete(&format!("/admin/keys/{}", key.id));
    kept.rest().expect("revoking ends that one too");
}

#[test]
fn i9_revoking_ends_both_secrets() {
    let mut world = World::start();
    let key = bounded(&world, &json!({}));
    let new = rotate(&world, &key.id, "30d");
    let status = |caller: &Caller| caller.rpc("tools/list", json!({})).http.status;
    assert_eq!([status(&key.caller), status(&new)], [200, 200]);
    assert_eq!(world.operator().delete(&format!("/admin/keys/{}", key.id)).status, 204);
    assert_eq!([status(&key.caller), status(&new)], [401, 401]);
    let again = world.operator().post(&format!("/admin/keys/{}/rotate", key.id), &json!({}));
    assert_eq!(again.status, 409, "{again:?}");
    world.restart();
    let old = world.bearer(&key.secret);
    assert_eq!(status(&old), 401);
}

#[test]
fn a_change_of_secret_is_asked_for_strictly() {
    let world = World::start();
    let key = bounded(&world, &json!({}));
    let ask = |id: &str, body: &Value| {
        world.operator().post(&format!("/admin/keys/{id}/rotate"), body).status
    };
    for bad in [json!({"overlap": "31d"}), json!({"overlap": 1}), json!({"over": "1h"}), json!([])]
    {
        assert_eq!(ask(&key.id, &bad), 400, "{bad}");
    }
    assert_eq!(ask("aaaaaaaaaaaa", &json!({})), 404);
    assert_eq!(ask("..", &json!({})), 404);
    assert_eq!(ask("env-acme", &json!({})), 409, "it is not ours to change");
    assert_eq!(key.caller.rpc("tools/list", json!({})).http.status, 200);
}

#[test]
fn the_last_use_of_a_key_is_told() {
    let world = World::start();
    let key = bounded(&world, &json!({}));
    key.caller.rpc("tools/list", json!({}));
    let shown = world.operator().get(&format!("/admin/keys/{}", key.id)).json();
    assert_eq!(shown["last_use"]["address"], "127.0.0.1", "{shown}");
    assert_eq!(shown["last_use"]["client"], "it", "{shown}");
    let listed = world.command(&["key", "list"]);
    assert!(listed.stdout.contains("by it from 127.0.0.1"), "{}", listed.stdout);
}

#[test]
fn the_command_line_makes_shows_and_renews_a_key_with_and_without_a_server() {
    let mut world = World::start();
    let make = |world: &World, name: &str| {
        let made = world.command(&[
            "key",
            "create",
            "--tenant",
            "acme",
            "--name",
            name,
            "--access",
            "read",
            "--tag",
            "work",
            "--from",
            "127.0.0.0/8",
            "--hours",
            "daily 00:00-24:00 UTC",
            "--expires",
            "2999-01-01",
            "--json",
        ]);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        serde_json::from_str::<Value>(&made.stdout).unwrap()
    };
    let words = "reads acme's memories tagged work, from 127.0.0.0/8, Mon–Sun 00–24 UTC, \
                 until 2999-01-01";
    let live = make(&world, "live");
    assert_eq!(live["can"], words);
    let tools = Era::Stateless(world.bearer(live["key"].as_str().unwrap())).tools();
    assert!(!tools.contains(&"store_memory".to_owned()), "{tools:?}");
    let id = live["id"].as_str().unwrap();
    let renewed = world.command(&["key", "rotate", id, "--overlap", "0s", "--json"]);
    assert_eq!(renewed.code, Some(0), "{}", renewed.stderr);
    assert!(renewed.stderr.contains("works no more"), "{}", renewed.stderr);
    let renewed: Value = serde_json::from_str(&renewed.stdout).unwrap();
    let status = |secret: &Value| {
        world.bearer(secret.as_str().unwrap()).rpc("tools/list", json!({})).http.status
    };
    assert_eq!((status(&live["key"]), status(&renewed["key"])), (401, 200));

    world.process().kill();
    let offline = make(&world, "offline");
    let renewed = world.command(&["key", "rotate", offline["id"].as_str().unwrap()]);
    assert_eq!(renewed.code, Some(0), "{}", renewed.stderr);
    assert!(renewed.stderr.contains("until"), "{}", renewed.stderr);
    let shown = world.command(&["key", "show", offline["id"].as_str().unwrap()]);
    assert!(
        shown.stdout.contains(words) && shown.stdout.contains("old secret"),
        "{}",
        shown.stdout
    );
    let listed = world.command(&["key", "list"]);
    assert!(listed.stdout.contains(words), "{}", listed.stdout);
    world.restart();
    let new = world.bearer(renewed.stdout.trim());
    let old = world.bearer(offline["key"].as_str().unwrap());
    for caller in [new, old] {
        assert_eq!(caller.rpc("tools/list", json!({})).http.status, 200);
    }
    for (arguments, word) in [
        (["--tool", "fly"], "store_memory"),
        (["--from", "10.0.0.1/8"], "did you mean"),
        (["--hours", "always"], "mon-fri 08:00-18:00 Europe/Berlin"),
        (["--rate-class", "ci"], "limits.classes"),
        (["--access", "all"], "read"),
    ] {
        let all = [&["key", "create", "--tenant", "acme"], &arguments[..]].concat();
        let refused = world.command(&all);
        assert_eq!(refused.code, Some(2), "{arguments:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(word), "{arguments:?}: {}", refused.stderr);
    }
}

#[test]
fn keys_that_end_soon_are_named_to_operators() {
    let world = World::start();
    let soon = now() + std::time::Duration::from_hours(24 * 7);
    let key = bounded(&world, &json!({"expires_at": soon.to_string()}));
    bounded(&world, &json!({}));
    let stats = world.operator().get("/admin/stats").json();
    assert_eq!(stats["keys_ending_soon"], json!({"count": 1, "ids": [key.id]}), "{stats}");
    assert_eq!(stats["keys_unused"], json!({"count": 0, "ids": []}));
    let told = world.command(&["doctor"]);
    assert!(told.stdout.contains(&format!("end within 14 days: {}", key.id)), "{}", told.stdout);
    assert!(!told.stdout.contains("were not used"), "{}", told.stdout);
}
