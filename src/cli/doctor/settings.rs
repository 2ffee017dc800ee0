//! The settings: what would be refused, and what is allowed but hardly meant.

use super::Finding;
use crate::config::{advice, load::Loaded, problem::Problem};

const CHECK: &str = "settings";

/// The problems already say how to put them right, so they are their own hint.
pub(in crate::cli::doctor) fn examine(loaded: &Loaded, problems: &[Problem]) -> Vec<Finding> {
    let wrong = problems.iter().map(|problem| {
        Finding::wrong(CHECK, problem.to_string(), "memgate does not start until this is done")
    });
    let advice = advice::advise(loaded);
    let advice = advice
        .iter()
        .map(|a| Finding::warning(CHECK, a.to_string(), "`memgate config show` says who set it"));
    let mut findings: Vec<_> = wrong.chain(advice).collect();
    if findings.is_empty() {
        findings.push(Finding::fine(CHECK, "memgate starts with these settings"));
    }
    findings
}
