//! SQL is written down, never put together: values are bound, so no input can be syntax.

use crate::source::{Tree, literal, shipped};

/// First words of statements.
const VERBS: [&str; 14] = [
    "select", "insert", "update", "delete", "create", "drop", "alter", "pragma", "attach", "with",
    "vacuum", "replace", "begin", "explain",
];
/// Calls that take SQL.
const TAKERS: [&str; 8] = [
    ".execute(",
    ".execute_batch(",
    ".prepare(",
    ".prepare_cached(",
    ".query_row(",
    ".query_one(",
    ".query(",
    "Statement::new(",
];

/// Places where SQL is formatted.
pub(crate) fn complaints(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.texts("src/", &[".rs"]) {
        let code = shipped(text);
        for (at, _) in code.match_indices("format!(") {
            let inside = code[at + "format!(".len()..].trim_start();
            let taken = code[..at].trim_end().trim_end_matches('&').trim_end();
            if is_statement(inside) || TAKERS.iter().any(|t| taken.ends_with(t)) {
                let line = code[..at].matches('\n').count() + 1;
                found.push(format!("{path}:{line}: bind the value instead"));
            }
        }
    }
    found
}

/// Whether the literal here starts like a statement and has a place for a value.
fn is_statement(text: &str) -> bool {
    let Some(length) = literal(text) else { return false };
    let body = text[..length].trim_matches(|c| matches!(c, 'r' | '#' | '"')).trim_start();
    let first: String = body.chars().take_while(char::is_ascii_alphabetic).collect();
    let followed = body[first.len()..].starts_with(char::is_whitespace);
    // `pragma` and friends in a sentence for people start lowercase and name no table.
    let shouted = first.chars().all(|c| c.is_ascii_uppercase());
    followed && shouted && VERBS.contains(&first.to_lowercase().as_str()) && body.contains('{')
}

#[test]
fn formatted_sql_is_found() {
    for bad in [
        "let q = format!(\"SELECT * FROM t WHERE id = '{id}'\");",
        "c.execute(&format!(\"delete from {table}\"), [])?;",
        "c.prepare_cached(\n    &format!(\"{}\", sql))?;",
        "format!(r#\"INSERT INTO t VALUES ({v})\"#)",
    ] {
        assert_eq!(complaints(&Tree::of(&[("src/db.rs", bad)])).len(), 1, "{bad}");
    }
}

#[test]
fn sentences_and_bound_values_are_fine() {
    for good in [
        "format!(\"select one of {names}\")",
        "c.execute(\"DELETE FROM t WHERE id = ?1\", [id])?;",
        "format!(\"cannot open `{path}`\")",
    ] {
        assert!(complaints(&Tree::of(&[("src/db.rs", good)])).is_empty(), "{good}");
    }
}
