//! The actions that the code knows are the actions that the policies speak of.

use std::collections::BTreeSet;

use memgate::domain::action::Action;

use crate::source::{Tree, without_comments};

/// Actions on one side only.
pub(crate) fn complaints(tree: &Tree) -> Vec<String> {
    let code: BTreeSet<String> = Action::ALL.iter().map(|a| a.as_str().to_owned()).collect();
    let schema = declared(&tree.text("policies/schema.cedarschema"));
    code.symmetric_difference(&schema)
        .map(|action| {
            let side = if code.contains(action) { "the code" } else { "the schema" };
            format!("`{action}` stands in {side} only")
        })
        .collect()
}

/// Names between `action` and what it applies to.
fn declared(schema: &str) -> BTreeSet<String> {
    let text = without_comments(schema);
    text.split(';')
        .filter_map(|statement| statement.trim_start().strip_prefix("action"))
        .filter(|rest| rest.starts_with(char::is_whitespace))
        .flat_map(|rest| rest.split("appliesTo").next().unwrap_or(rest).split(','))
        .map(|name| name.split(" in ").next().unwrap_or(name).trim().trim_matches('"').to_owned())
        .collect()
}

#[test]
fn names_are_read_in_every_form() {
    let schema = "// action old;\naction\n  connect,\n  \"memory_read\"\nappliesTo { principal: Key };\n\
                  action \"key_list\" in [read] appliesTo {};";
    let names: Vec<_> = declared(schema).into_iter().collect();
    assert_eq!(names, ["connect", "key_list", "memory_read"]);
}

#[test]
fn a_difference_is_found_on_both_sides() {
    let tree = Tree::of(&[("policies/schema.cedarschema", "action fly appliesTo {};")]);
    let found = complaints(&tree);
    assert_eq!(found.len(), Action::ALL.len() + 1, "{found:?}");
}
