//! Sizes, names and the paragraph at the top of every file.

use crate::source::{Tree, shipped};

/// Lines of shipped code from which a file should be split.
const LARGE: usize = 400;
/// Lines of shipped code, and lines with tests, that no file may pass.
const TOO_LARGE: usize = 600;
/// Names that say nothing about what lives there.
const EMPTY_WORDS: [&str; 10] = [
    "util", "utils", "common", "helper", "helpers", "manager", "managers", "misc", "stuff",
    "shared",
];

/// Files that break a rule; files that only near a limit are printed.
pub(crate) fn complaints(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.texts("", &[".rs"]) {
        let lines = shipped(text).lines().filter(|l| !l.trim().is_empty()).count();
        if lines > TOO_LARGE {
            found.push(format!("{path}: {lines} lines; {TOO_LARGE} is the end"));
        } else if lines > LARGE {
            println!("tidy: {path} has {lines} lines; over {LARGE} needs a reason");
        }
        if !text.trim_start().starts_with("//!") {
            found.push(format!("{path}: starts without `//!`"));
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        if name == "mod.rs" {
            found.push(format!("{path}: `foo.rs` beside `foo/`, never `mod.rs`"));
        }
        for part in path.trim_end_matches(".rs").split('/') {
            if EMPTY_WORDS.contains(&part) {
                found.push(format!("{path}: `{part}` names nothing"));
            }
        }
    }
    found
}

#[test]
fn each_rule_complains() {
    let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(TOO_LARGE + 1));
    let found = complaints(&Tree::of(&[
        ("src/a.rs", "fn f() {}"),
        ("src/b/mod.rs", "//! B."),
        ("src/util/c.rs", "//! C."),
        ("tests/it/helpers.rs", "//! D."),
        ("src/d.rs", &long),
        ("src/e.rs", "//! Fine.\n"),
    ]));
    assert_eq!(found.len(), 5, "{found:?}");
}

#[test]
fn inline_tests_do_not_count() {
    let tests = format!("//! A.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(900));
    assert!(complaints(&Tree::of(&[("src/a.rs", &tests)])).is_empty());
}
