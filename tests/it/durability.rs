//! `kill -9` in a loop, under writers of two tenants at once (I6).
//!
//! Every cycle starts the real server, lets four writers store memories over HTTP, and kills it
//! in the middle of their work: after a number of acknowledgements that differs from cycle to
//! cycle, with other writes on their way. Then the files are judged as they lie, and the server
//! has to come up on them and answer for what it acknowledged.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::mpsc::{Sender, channel},
    thread,
};

use rusqlite::Connection;
use serde_json::json;

use crate::world::{Caller, World};

/// Cycles, unless `MEMGATE_KILL_CYCLES` says otherwise.
const CYCLES: usize = 300;
/// Writers of each of the two tenants.
const WRITERS: usize = 2;
/// The files are judged in every so many cycles, and in the last.
const JUDGED: usize = 10;

#[ignore = "takes minutes; run by `./tests/run durability`"]
#[test]
fn i6_kill_9_loses_nothing_acknowledged() {
    let cycles = std::env::var("MEMGATE_KILL_CYCLES").map_or(CYCLES, |n| n.parse().unwrap());
    let mut world = World::with(&[
        ("RATE_LIMIT_REQUESTS", "1000000"),
        ("RATE_LIMIT_WINDOW", "1"),
        ("MEMGATE_LIMITS__PER_ADDRESS", "1000000/1s"),
    ]);
    let mut acknowledged = BTreeSet::new();
    for cycle in 0..cycles {
        // 1 to 41 acknowledgements, in no order that a batch of writes could fall in step with.
        let before_the_kill = 1 + (cycle * 17) % 41;
        let new = write_until_killed(&mut world, cycle, before_the_kill);
        let samples: Vec<_> = new.iter().take(2).cloned().collect();
        acknowledged.extend(new);
        if cycle % JUDGED == 0 || cycle + 1 == cycles {
            judge(&world, &acknowledged);
        }
        world.restart();
        for (tenant, id) in samples {
            let caller = if tenant == 0 { world.acme() } else { world.globex() };
            let read = caller.tool("get_memory_content", json!({"memory_id": id}));
            assert!(!read.is_error(), "cycle {cycle}: {:?}", read.http);
        }
    }
    // Every acknowledged write has its record, and the chain went through every kill.
    let verified = world.command(&["audit", "verify"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
    let stored =
        world.command(&["audit", "export", "--what", "store_memory", "--outcome", "allowed"]);
    assert!(stored.stdout.lines().count() >= acknowledged.len(), "i10: a write without its record");
    println!("{cycles} kills, {} acknowledged writes, none lost", acknowledged.len());
    assert!(acknowledged.len() > cycles, "the writers wrote");
}

/// Who wrote (0 is acme, 1 is globex), and the id that the server answered with.
type Acknowledged = (usize, String);

/// Kills the server after so many acknowledgements; all that were given, late ones included.
fn write_until_killed(world: &mut World, cycle: usize, kills_after: usize) -> Vec<Acknowledged> {
    let (sender, receiver) = channel();
    let writers: Vec<_> = (0..2 * WRITERS)
        .map(|writer| {
            let caller = if writer % 2 == 0 { world.acme() } else { world.globex() };
            let sender = sender.clone();
            thread::spawn(move || write(&caller, writer, cycle, &sender))
        })
        .collect();
    drop(sender);
    let mut acknowledged: Vec<_> = receiver.iter().take(kills_after).collect();
    world.process().kill();
    acknowledged.extend(receiver);
    for writer in writers {
        writer.join().unwrap();
    }
    acknowledged
}

/// Writes until there is no answer any more.
fn write(caller: &Caller, writer: usize, cycle: usize, sender: &Sender<Acknowledged>) {
    for number in 0.. {
        let filler = "lorem ".repeat((writer * 131 + cycle * 31 + number * 7) % 400);
        let body = format!("{writer} {cycle} {number} {filler}");
        let content = format!("{} {body}end", body.len());
        let arguments = json!({
            "content": content, "filename": "same.txt", "tags": [format!("writer{writer}")],
        });
        let Some(answer) = caller.try_tool("store_memory", arguments) else { return };
        let id = &answer.structured()["memory_id"];
        let id = id.as_str().unwrap_or_else(|| panic!("no id in {:?}", answer.http));
        // Nobody receives after the test has failed.
        let _ = sender.send((writer % 2, id.to_owned()));
    }
}

/// Was it written from its first byte to its last?
fn is_whole(content: &str) -> bool {
    let body = content.split_once(' ').and_then(|(length, rest)| {
        let body = rest.strip_suffix("end")?;
        (length.parse() == Ok(body.len())).then_some(body)
    });
    body.is_some()
}

/// Judges copies, so that the server itself has to recover the files that a kill left.
fn judge(world: &World, acknowledged: &BTreeSet<Acknowledged>) {
    let copies = tempfile::tempdir().unwrap();
    let mut found = BTreeSet::new();
    for (number, tenant) in fs::read_dir(world.data().join("tenants")).unwrap().enumerate() {
        let copy = copies.path().join(number.to_string());
        fs::create_dir(&copy).unwrap();
        for file in ["memory.db", "memory.db-wal"] {
            let source = tenant.as_ref().unwrap().path().join(file);
            if source.exists() {
                fs::copy(source, copy.join(file)).unwrap();
            }
        }
        if copy.join("memory.db").exists() {
            found.extend(judge_file(&copy.join("memory.db")));
        }
    }
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

/// The file's structure, its index against its table, and every memory for wholeness.
#[expect(clippy::disallowed_methods, reason = "the judge shares no settings with the judged")]
fn judge_file(path: &Path) -> BTreeSet<Acknowledged> {
    let file = Connection::open(path).unwrap();
    let verdict: String = file.query_row("PRAGMA quick_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    file.execute("INSERT INTO word (word, rank) VALUES ('integrity-check', 1)", []).unwrap();
    let mut memories = file
        .prepare(
            "SELECT id, content, tags, (SELECT count(*) FROM tag WHERE tag.memory = memory.n)
             FROM memory",
        )
        .unwrap();
    let rows = memories.query_map([], |row| {
        let (id, content): (String, String) = (row.get(0)?, row.get(1)?);
        let (tags, count): (String, i64) = (row.get(2)?, row.get(3)?);
        assert!(is_whole(&content), "half a memory: {id}");
        assert_eq!(count, 1, "{id} lost its tag");
        let writer: usize = tags.trim_end().trim_start_matches("writer").parse().unwrap();
        Ok((writer % 2, id))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

#[test]
fn the_judge_sees_half_a_memory() {
    assert!(is_whole("6 0 0 0 end"));
    for half in ["", "6 0 0 0 en", "6 0 0 end", "6", "x 0 0 0 end"] {
        assert!(!is_whole(half), "{half:?}");
    }
}
