//! No private key, no working memgate key and no path of somebody's machine is committed.

use memgate::domain::key::{PREFIX, PresentedKey};

use crate::source::Tree;

/// Starts of paths that exist on one machine only.
const MACHINES: [&str; 4] = ["/root/", "/Users/", "/work/", "/home/"];

/// Files with something private in them.
pub(crate) fn complaints(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.texts("", &[]).filter(|(p, _)| *p != "tests/tidy/secrets.rs") {
        let mut previous = "";
        for (number, line) in text.lines().enumerate() {
            let mut complain = |what: &str| found.push(format!("{path}:{}: {what}", number + 1));
            if previous.starts_with("-----BEGIN")
                && previous.contains("PRIVATE KEY")
                && is_base64(line)
            {
                complain("a private key");
            }
            if line.match_indices(PREFIX).any(|(at, _)| is_key(&line[at..])) {
                complain("a whole API key");
            }
            if MACHINES.iter().any(|m| names_machine(line, m)) {
                complain("a path of one machine");
            }
            previous = line.trim();
        }
    }
    found
}

fn is_base64(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 40 && line.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
}

/// A key with a right checksum, whatever follows it.
fn is_key(text: &str) -> bool {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
    PresentedKey::parse(&text[..end.unwrap_or(text.len())]).is_some()
}

/// The path stands at the start of a word, so URLs and longer paths do not count.
fn names_machine(line: &str, machine: &str) -> bool {
    line.match_indices(machine).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| c.is_whitespace() || "\"'`(=:".contains(c))
    })
}

#[test]
fn each_kind_is_found() {
    let key = PresentedKey::random(&memgate::domain::random::OsEntropy).reveal();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n", "MIGHAgEAMBMG".repeat(5));
    for bad in [pem.as_str(), &format!("`{}`", key.expose()), "data_dir = \"/home/me/data\""] {
        let found = complaints(&Tree::of(&[("a.toml", bad)]));
        assert_eq!(found.len(), 1, "{bad}: {found:?}");
    }
}

#[test]
fn look_alikes_are_fine() {
    for good in ["mg_…", "\"-----BEGIN PRIVATE KEY-----\"", "https://example.org/work/x"] {
        assert!(complaints(&Tree::of(&[("a.md", good)])).is_empty(), "{good}");
    }
}
