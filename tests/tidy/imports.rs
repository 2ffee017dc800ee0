//! Rooms in their order, and paths between them that point left only.
//!
//! Every `crate::…` and every `super::…` that climbs to the root is followed, inside `use` trees
//! and in expressions alike; a `pub use` is such a path too, so nothing re-exports rightwards.

use crate::source::{Tree, shipped, without_literals};

/// The rooms, in the order in which a request earns its rights.
pub(crate) const ROOMS: [&str; 17] = [
    "domain",
    "config",
    "telemetry",
    "db",
    "registry",
    "limits",
    "auth",
    "policy",
    "audit",
    "store",
    "tools",
    "mcp",
    "http",
    "app",
    "cli",
    "manual",
    "main",
];

/// Paths that point right, or to no room at all.
pub(crate) fn complaints(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.texts("src/", &[".rs"]) {
        let modules: Vec<&str> =
            path.trim_start_matches("src/").trim_end_matches(".rs").split('/').collect();
        let room = modules.first().copied().unwrap_or_default();
        if room == "lib" {
            continue;
        }
        let Some(place) = place(room) else {
            found.push(format!("{path}: `{room}` is not one of the rooms"));
            continue;
        };
        for (line, target) in targets(&without_literals(&shipped(text)), modules.len()) {
            match self::place(&target) {
                Some(other) if other <= place => {}
                Some(_) => {
                    found.push(format!("{path}:{line}: `{room}` reaches right, to `{target}`"));
                }
                None => found.push(format!("{path}:{line}: `crate::{target}` is not a room")),
            }
        }
    }
    found
}

/// `lib.rs` declares the rooms in their order.
pub(crate) fn order(lib: &str) -> Vec<String> {
    let declared: Vec<String> = shipped(lib)
        .lines()
        .filter_map(|l| l.trim().strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned))
        .collect();
    let places: Vec<_> = declared.iter().map(|room| place(room)).collect();
    if places.is_sorted() && places.iter().all(Option::is_some) {
        Vec::new()
    } else {
        vec![format!("src/lib.rs declares {declared:?}, the order is {ROOMS:?}")]
    }
}

fn place(room: &str) -> Option<usize> {
    ROOMS.iter().position(|r| *r == room)
}

/// Rooms that a file names, with the line; `depth` is how deep its module lies.
fn targets(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let climb = "super::".repeat(depth);
    for root in ["crate::", "memgate::", climb.as_str()] {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            for name in heads(&code[at + root.len()..]) {
                found.push((line, name));
            }
        }
    }
    found
}

/// The first name of a path, or of each path in a `{…}` group.
fn heads(text: &str) -> Vec<String> {
    let Some(group) = text.strip_prefix('{') else { return name(text).into_iter().collect() };
    let (mut depth, mut names, mut fresh) = (0_usize, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && depth == 0 && !c.is_whitespace() => {
                names.extend(name(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

/// The room-like name at the start; macros and items of the root are none.
fn name(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty() && name != "self").then_some(name)
}

#[test]
fn a_path_to_the_right_is_found_in_every_form() {
    for bad in [
        "use crate::mcp::Endpoint;",
        "use crate::{\n    domain::{Error, Result},\n    http,\n};",
        "pub use crate::http::routes;",
        "fn f() { crate::app::run(); }",
        "use super::super::cli::Cli;",
        "impl From<crate::tools::Tool> for A {}",
    ] {
        let found = complaints(&Tree::of(&[("src/store/pool.rs", bad)]));
        assert_eq!(found.len(), 1, "{bad}: {found:?}");
    }
}

#[test]
fn paths_to_the_left_and_in_tests_are_fine() {
    for good in [
        "use crate::{domain::{Error, memory::Memory}, policy::Permit};",
        "//! [`x`](crate::http::x)\nuse super::TenantStore;",
        "#[cfg(test)]\nmod tests { use crate::app::App; }",
        "pub(in crate::store) fn f() {}",
        "tracing::info!(target: \"memgate::http\", \"crate::http\");",
    ] {
        assert!(complaints(&Tree::of(&[("src/store/pool.rs", good)])).is_empty(), "{good}");
    }
}

#[test]
fn rooms_out_of_order_or_unknown_are_found() {
    assert!(order("pub mod domain;\npub mod store;\n").is_empty());
    assert_eq!(order("pub mod store;\npub mod domain;\n").len(), 1);
    assert_eq!(order("pub mod domain;\npub mod extra;\n").len(), 1);
    assert_eq!(complaints(&Tree::of(&[("src/extra.rs", "")])).len(), 1);
}
