//! Every invariant has a test that carries its name, and every mark in the code a known number.

use crate::source::{Tree, without_comments};

/// How many invariants there are: I1 to I12.
const COUNT: usize = 12;

/// Invariants without a test.
pub(crate) fn complaints(tree: &Tree) -> Vec<String> {
    let mut tests = [0_usize; COUNT + 1];
    let mut found = Vec::new();
    for (path, text) in tree.texts("", &[".rs"]).filter(|(p, _)| !p.starts_with("tests/tidy/")) {
        for name in test_names(&without_comments(text)) {
            if let Some(number) = numbered(&name, "i") {
                tests[number] += 1;
            }
        }
        for (at, mark) in text.match_indices("INVARIANT I") {
            let digits: String =
                text[at + mark.len()..].chars().take_while(char::is_ascii_digit).collect();
            if !digits.parse().is_ok_and(|n: usize| (1..=COUNT).contains(&n)) {
                found.push(format!("{path}: `INVARIANT I{digits}` is none of I1 to I{COUNT}"));
            }
        }
    }
    for (number, _) in tests.iter().enumerate().skip(1).filter(|(_, count)| **count == 0) {
        found.push(format!("I{number} has no test called `i{number}_…`"));
    }
    found
}

/// Names of functions under a test attribute.
fn test_names(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in code.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        }
        let start = ["fn ", "async fn ", "pub fn "].iter().find_map(|p| line.strip_prefix(p));
        if let Some(rest) = start {
            if is_test {
                names.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            }
            is_test = false;
        }
    }
    names
}

/// `i8_a_foreign_session` is 8.
fn numbered(name: &str, letter: &str) -> Option<usize> {
    let (digits, _) = name.strip_prefix(letter)?.split_once('_')?;
    digits.parse().ok().filter(|n| (1..=COUNT).contains(n))
}

#[test]
fn a_missing_test_is_found() {
    let all = |but: usize| -> String {
        (1..=COUNT)
            .filter(|n| *n != but)
            .map(|n| format!("#[test]\nfn i{n}_x() {{}}\n"))
            .collect::<Vec<_>>()
            .concat()
    };
    assert!(complaints(&Tree::of(&[("src/a.rs", &all(0))])).is_empty());
    let found = complaints(&Tree::of(&[("src/a.rs", &all(7))]));
    assert_eq!(found, ["I7 has no test called `i7_…`"]);
    let helper = format!("{}fn i7_not_a_test() {{}}\n", all(7));
    assert_eq!(complaints(&Tree::of(&[("src/a.rs", &helper)])).len(), 1);
    let mark = format!("// INVARIANT I13: no such.\n{}", all(0));
    assert_eq!(complaints(&Tree::of(&[("src/a.rs", &mark)])).len(), 1);
}
