//! The end of the process: bounded, tidy, and nothing left behind.

use std::path::Path;

use serde_json::json;

use crate::world::World;

#[test]
fn i12_a_drain_ends_open_streams_and_leaves_nothing_running() {
    let mut world = World::start();
    let session = world.acme().session();
    let stream = session.stream();
    world.acme().store("kept");
    let pid = world.process().pid();
    world.process().terminate();
    stream.rest().expect("the stream ends properly");
    let status = world.process().ended();
    assert_eq!(status.code(), Some(0), "{}", world.log());
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    assert!(children.map_or(true, |c| c.trim().is_empty()), "no child process is left");
    assert!(!world.log().contains("panicked"), "{}", world.log());
}

#[test]
fn i12_what_was_stored_before_the_end_is_there_afterwards() {
    let mut world = World::start();
    let id = world.acme().store("written just before the end");
    world.process().terminate();
    world.process().ended();
    world.restart();
    let read = world.acme().tool("get_memory_content", json!({"memory_id": id}));
    assert!(read.text().contains("just before the end"));
}

#[test]
fn the_control_socket_goes_with_the_process() {
    let mut world = World::start();
    let socket = world.data().join("control.sock");
    assert!(Path::new(&socket).exists(), "local administration listens here");
    world.process().terminate();
    world.process().ended();
    let answer = world.command(&["session", "list"]);
    assert_ne!(answer.code, Some(0), "nothing runs: {}", answer.stdout);
}
