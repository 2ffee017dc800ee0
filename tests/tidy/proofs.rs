//! INVARIANT I2: a proof is made in one room. The compiler holds that line as long as the maker is
//! private to its room and no derive makes another; this rule holds that it stays so.

use crate::source::{Tree, shipped};

/// A proof, where it lives, the room that may make it, and whether it may be copied.
const PROOFS: [(&str, &str, &str, bool); 2] = [
    ("Principal", "src/auth/principal.rs", "auth", true),
    ("Permit", "src/policy/permit.rs", "policy", false),
];
/// Derives that make a value out of nothing, or out of bytes.
const MAKERS: [&str; 3] = ["Default", "Deserialize", "FromStr"];

/// Ways to make a proof elsewhere.
pub(crate) fn complaints(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (proof, path, room, copied) in PROOFS {
        let code = shipped(&tree.text(path));
        let Some(start) = code.find(&format!("pub struct {proof} {{")) else {
            found.push(format!("{path}: no `pub struct {proof}`"));
            continue;
        };
        let derives = code[..start].rfind("#[derive(").map_or("", |at| &code[at..start]);
        let body = code[start..].split('}').next().unwrap_or_default();
        if MAKERS
            .iter()
            .any(|m| derives.contains(m) || code.contains(&format!("impl {m} for {proof}")))
        {
            found.push(format!("{path}: a derive makes a `{proof}` out of nothing"));
        }
        if !copied && derives.contains("Clone") {
            found.push(format!("{path}: `{proof}` can be copied"));
        }
        if body.lines().skip(1).any(|line| line.trim_start().starts_with("pub")) {
            found.push(format!("{path}: `{proof}` has a public field"));
        }
        for line in code.lines().filter(|l| l.contains("fn ") && l.contains("-> Self")) {
            if !line.trim_start().starts_with(&format!("pub(in crate::{room})")) {
                found.push(format!("{path}: `{}` makes a `{proof}` for everybody", line.trim()));
            }
        }
    }
    found
}

#[test]
fn every_way_round_is_found() {
    let principal = "pub struct Principal {\n    key: Key,\n}\n\
                     pub(in crate::auth) fn new(key: Key) -> Self {}\n";
    let permit = "#[derive(Debug)]\npub struct Permit {\n    action: Action,\n}\n\
                  pub(in crate::policy) fn new() -> Self {}\n";
    let with = |permit: &str| {
        complaints(&Tree::of(&[(PROOFS[0].1, principal), (PROOFS[1].1, permit)])).len()
    };
    assert_eq!(with(permit), 0);
    assert_eq!(with(&permit.replace("(Debug)", "(Debug, Clone)")), 1);
    assert_eq!(with(&permit.replace("(Debug)", "(Debug, Default)")), 1);
    assert_eq!(with(&permit.replace("    action", "    pub action")), 1);
    assert_eq!(with(&permit.replace("pub(in crate::policy)", "pub")), 1);
    assert_eq!(with(&permit.replace("pub(in crate::policy)", "pub(crate)")), 1);
}
