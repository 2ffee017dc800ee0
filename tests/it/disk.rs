//! A disk that is full for the tenants alone shows, and so does the end of it.

use std::{
    fs::File,
    io::{ErrorKind, Write as _},
};

use serde_json::json;

use crate::world::{World, wait_until};

#[test]
fn a_full_disk_makes_unready_and_room_makes_ready_again() {
    let Some(mut world) = World::on_disk_of("32m", "tenants") else {
        println!("not tested: this user may mount nothing");
        return;
    };
    let store = |world: &World| {
        let answer = world.acme().tool("store_memory", json!({"content": "a note"}));
        (answer.http.status, answer.is_error())
    };
    assert_eq!(store(&world), (200, false));
    let ready = |world: &World| world.anonymous().get("/readyz");
    assert_eq!(ready(&world).status, 200);

    // The mount is the process's own, and is reached through it.
    let tenants = world.data().join("tenants");
    let filler = format!("/proc/{}/root{}/filler", world.process().pid(), tenants.display());
    let mut file = File::create(&filler).unwrap();
    let full = loop {
        if let Err(error) = file.write_all(&[7; 4096]) {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    let refused = wait_until(|| Some(ready(&world)).filter(|answer| answer.status == 503));
    let refused = refused.expect("a full disk shows");
    assert_eq!(refused.body, r#"{"status":"unavailable"}"#, "and says nothing of whose it is");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(world.anonymous().get("/healthz").status, 200, "a restart would not help");
    let stats = world.operator().get("/admin/stats").json();
    assert_eq!((&stats["ready"], &stats["disk_state"]), (&json!(false), &json!("full")));
    assert_eq!(store(&world).0, 503, "nothing is acknowledged");
    let found = world.acme().tool("retrieve_memories", json!({"query": "note"}));
    assert_eq!((found.http.status, found.is_error()), (200, false), "what is there can be read");

    drop(file);
    std::fs::remove_file(&filler).unwrap();
    wait_until(|| (ready(&world).status == 200).then_some(())).expect("room shows");
    assert_eq!(store(&world), (200, false));
    let stats = world.operator().get("/admin/stats").json();
    assert_eq!((&stats["ready"], &stats["disk_state"]), (&json!(true), &json!("writable")));
}
