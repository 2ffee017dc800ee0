//! Policies are a tested product: cases beside them, in JSON, that `memgate policy test` and the
//! test suite run.
//!
//! A case says who, what, on what, what is expected and why. Tenants are named by label; the
//! runner gives them ids. The same code decides that decides in production.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    facts::Subject,
    problem::Problem,
    set::{Set, Verdict},
    world::World,
};
use crate::domain::{
    self,
    action::{Access, Action, Resource},
    key::{KeyId, Role},
    pack::{Pack, Packs},
    reach::Tags,
    tenant::TenantLabel,
    tool::{ToolName, Tools},
};

/// One file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// What the file is about, for readers.
    #[serde(rename = "about")]
    _about: String,
    cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    principal: Who,
    action: String,
    /// The tool that asks for the action, where a policy speaks of one.
    #[serde(default)]
    tool: Option<ToolName>,
    resource: On,
    expect: Expected,
    why: String,
    /// The moment of the request.
    #[serde(default)]
    now: Timestamp,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    role: Role,
    /// The key's id, where a policy speaks of one key.
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    tenant: Option<TenantLabel>,
    #[serde(default)]
    act_as: Vec<TenantLabel>,
    #[serde(default)]
    packs: Option<Vec<Pack>>,
    #[serde(default)]
    tools: Option<Tools>,
    #[serde(default)]
    access: Access,
    #[serde(default)]
    tags: Option<Tags>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum On {
    Tenant(TenantLabel),
    Deployment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Allow,
    Deny,
}

/// How one case ended.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The case file.
    pub file: String,
    /// Its place in the file, from 1.
    pub case: usize,
    /// Why the case is as it is, in its author's words.
    pub why: String,
    /// Whether it came out as expected.
    pub passed: bool,
    /// Allowed?
    pub allowed: bool,
    /// The policies that decided.
    pub because: Vec<String>,
    /// What went wrong while evaluating.
    pub errors: Vec<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, case, why, passed, allowed, because, errors } = self;
        let verdict = if *passed { "ok" } else { "FAILED" };
        let said = if *allowed { "allowed" } else { "denied" };
        let by = if because.is_empty() { "no policy".to_owned() } else { because.join(", ") };
        write!(f, "{verdict}: {file} {case}: {said} by {by}: {why}")?;
        for error in errors {
            write!(f, "\n  {error}")?;
        }
        Ok(())
    }
}

/// Runs the cases of these files, given as (name, text).
///
/// # Errors
/// Files that are not case files; then nothing is run.
pub fn run(set: &Set, files: &[(String, String)]) -> Result<Vec<Outcome>, Vec<Problem>> {
    let mut found = Vec::new();
    let mut outcomes = Vec::new();
    for (name, text) in files {
        match serde_json::from_str::<File>(text) {
            Ok(file) => {
                for (n, case) in file.cases.iter().enumerate() {
                    match decide(set, name, n + 1, case) {
                        Ok(outcome) => outcomes.push(outcome),
                        Err(problem) => found.push(problem),
                    }
                }
            }
            Err(error) => found.push(Problem {
                file: name.clone(),
                line: Some(error.line()),
                what: error.to_string(),
                fix: "write it as the files in `policies/tests`".to_owned(),
            }),
        }
    }
    if found.is_empty() { Ok(outcomes) } else { Err(found) }
}

fn decide(set: &Set, file: &str, number: usize, case: &Case) -> Result<Outcome, Problem> {
    let action = Action::ALL.iter().copied().find(|a| a.as_str() == case.action);
    let action = action.ok_or_else(|| {
        let names: Vec<_> = Action::ALL.iter().map(|a| a.as_str()).collect();
        let what = format!("case {number}: no action `{}`", case.action);
        Problem::of_file(file, what, format!("use one of {}", names.join(", ")))
    })?;
    let verdict = ask(set, case, action).map_err(|e| {
        let fix = "a key id is twelve characters of a-z and 0-9, as `memgate key list` shows it";
        Problem::of_file(file, format!("case {number}: {e}"), fix)
    })?;
    Ok(Outcome {
        file: file.to_owned(),
        case: number,
        why: case.why.clone(),
        // A failing policy denies in production; here it is a fault of the set.
        passed: verdict.allowed == (case.expect == Expected::Allow) && verdict.errors.is_empty(),
        allowed: verdict.allowed,
        because: verdict.because,
        errors: verdict.errors,
    })
}

fn ask(set: &Set, case: &Case, action: Action) -> domain::Result<Verdict> {
    let Who { role, key, tenant, act_as, packs, tools, access, tags } = &case.principal;
    let key = key.as_deref().map_or_else(World::key, KeyId::parse)?;
    let mut world = World::default();
    let tenant = tenant.as_ref().map(|label| world.tenant(label)).transpose()?;
    for label in act_as {
        world.tenant(label)?;
    }
    let resource = match &case.resource {
        On::Deployment => Resource::Deployment,
        On::Tenant(label) => Resource::Tenant(world.tenant(label)?.id),
    };
    let subject = Subject {
        key: &key,
        role: *role,
        tenant: tenant.as_ref(),
        act_as,
        packs: packs.as_ref().map_or_else(Packs::default, |packs| packs.iter().copied().collect()),
        tools: *tools,
        access: *access,
        tags: tags.as_ref(),
    };
    Ok(set.decide(&subject, (action, case.tool), &resource, &world, case.now))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::policy::{load, set::Source};

    fn file(cases: &str) -> Vec<(String, String)> {
        vec![("x.json".to_owned(), format!("{{\"about\": \"x\", \"cases\": [{cases}]}}"))]
    }

    #[test]
    fn every_case_of_the_built_in_set_comes_out() {
        let outcomes = run(&load::load(None).unwrap(), &load::cases(None).unwrap()).unwrap();
        assert!(outcomes.len() >= 30, "{}", outcomes.len());
        for outcome in &outcomes {
            assert!(outcome.passed, "{outcome}");
        }
    }

    #[test]
    fn every_case_file_is_embedded() {
        let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/tests");
        let on_disk: BTreeSet<_> = std::fs::read_dir(tests)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let embedded: BTreeSet<_> =
            crate::policy::builtin::CASES.iter().map(|(file, _)| (*file).to_owned()).collect();
        assert_eq!(on_disk, embedded);
    }

    #[test]
    fn every_policy_of_the_built_in_set_decides_some_case() {
        let set = load::load(None).unwrap();
        let outcomes = run(&set, &load::cases(None).unwrap()).unwrap();
        let used: BTreeSet<_> = outcomes.into_iter().flat_map(|o| o.because).collect();
        assert_eq!(used.into_iter().collect::<Vec<_>>(), set.ids());
    }

    #[test]
    fn a_case_that_does_not_come_out_says_who_decided() {
        let text = "@id(\"all\") permit (principal, action, resource);";
        let set = Set::compile(&[Source { file: "x.cedar", text }]).unwrap();
        let case = r#"{"principal": {"role": "agent", "tenant": "acme"}, "action": "connect",
                       "resource": {"tenant": "globex"}, "expect": "deny", "why": "walls"}"#;
        let outcomes = run(&set, &file(case)).unwrap();
        assert!(!outcomes[0].passed);
        assert_eq!(outcomes[0].to_string(), "FAILED: x.json 1: allowed by all: walls");
    }

    #[test]
    fn what_is_not_a_case_is_refused_with_its_place() {
        let set = load::load(None).unwrap();
        let unknown = r#"{"principal": {"role": "agent"}, "action": "fly",
                          "resource": "deployment", "expect": "deny", "why": "x"}"#;
        for (cases, word) in [
            (unknown.to_owned(), "no action `fly`"),
            (unknown.replace("\"agent\"", "\"king\""), "king"),
            (unknown.replace("\"why\"", "\"because\""), "because"),
            ("{".to_owned(), "x.json:1: "),
        ] {
            let found = run(&set, &file(&cases)).unwrap_err();
            assert!(found[0].to_string().contains(word), "{}", found[0]);
        }
    }

    #[test]
    fn a_case_can_set_the_clock() {
        let text = "@id(\"day\") permit (principal, action, resource)
                    when { context.now >= datetime(\"2026-01-01\") };";
        let set = Set::compile(&[Source { file: "x.cedar", text }]).unwrap();
        let case = |now: &str, expect: &str| {
            format!(
                r#"{{"principal": {{"role": "operator"}}, "action": "stats_read", "why": "time",
                     "resource": "deployment", "expect": "{expect}", "now": "{now}"}}"#
            )
        };
        let cases = [case("2025-12-31T23:59:59Z", "deny"), case("2026-01-01T00:00:00Z", "allow")];
        let outcomes = run(&set, &file(&cases.join(","))).unwrap();
        assert!(outcomes.iter().all(|o| o.passed), "{outcomes:?}");
    }
}
