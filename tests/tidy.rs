//! The house rules, held by a test instead of a reviewer.
//!
//! Every rule is a function from text to complaints, so each one is also fed bad input here and
//! must complain. Rules read the files of the checkout; none needs a build of anything else.
//! Comments and inline tests are cut first: rules are about the code that ships.

#![cfg(test)]

#[path = "tidy/floors.rs"]
mod floors;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/invariants.rs"]
mod invariants;
#[path = "tidy/layout.rs"]
mod layout;
#[path = "tidy/policies.rs"]
mod policies;
#[path = "tidy/proofs.rs"]
mod proofs;
#[path = "tidy/secrets.rs"]
mod secrets;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/sql.rs"]
mod sql;

use source::Tree;

/// Fails with every complaint at once.
fn clean(rule: &str, complaints: &[String]) {
    assert!(complaints.is_empty(), "{rule}:\n  {}", complaints.join("\n  "));
}

#[test]
fn imports_point_left_only() {
    clean("imports point left only", &imports::complaints(&Tree::checkout()));
}

#[test]
fn rooms_are_declared_in_their_order() {
    clean("rooms in order", &imports::order(&Tree::checkout().text("src/lib.rs")));
}

#[test]
fn files_are_small_documented_and_well_named() {
    clean("layout", &layout::complaints(&Tree::checkout()));
}

#[test]
fn every_invariant_has_a_test_with_its_name() {
    clean("invariants", &invariants::complaints(&Tree::checkout()));
}

#[test]
fn actions_are_the_ones_in_the_policy_schema() {
    clean("actions", &policies::complaints(&Tree::checkout()));
}

#[test]
fn i2_proofs_are_made_in_their_own_rooms_only() {
    clean("proofs", &proofs::complaints(&Tree::checkout()));
}

#[test]
fn sql_is_never_formatted() {
    clean("sql", &sql::complaints(&Tree::checkout()));
}

#[test]
fn nothing_private_is_committed() {
    clean("secrets", &secrets::complaints(&Tree::checkout()));
}

#[test]
fn dependencies_are_above_the_security_floors() {
    clean("floors", &floors::complaints(&Tree::checkout()));
}
