//! A set of policies that has been checked: what does not pass is never asked.
//!
//! Strict validation against our schema; every warning counts as an error, because a policy that
//! can never match is a permission somebody believes in. Every policy has an `@id`, so that a
//! log, an audit record and a test can name the rule that decided.

use std::{collections::HashMap, fmt::Write as _, str::FromStr};

use cedar_policy::{Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use jiff::Timestamp;
use miette::Diagnostic;
use sha2::{Digest as _, Sha256};

pub use super::cedar::Verdict;
use super::{
    builtin,
    cedar::{self, Names, Wish},
    facts::{Directory, Object, Subject},
    problem::Problem,
};
use crate::domain::{
    action::{Action, Resource},
    tool::ToolName,
};

const COMPARE: &str = "compare with `schema.cedarschema`, which lists what a policy can speak of";
const MEND: &str = "mend the syntax; docs.cedarpolicy.com describes it";

/// One file of policies.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Its name, for complaints.
    pub file: &'a str,
    /// What it says.
    pub text: &'a str,
}

/// Policies that passed.
#[derive(Debug)]
pub struct Set {
    digest: String,
    names: Names,
    schema: Schema,
    policies: PolicySet,
    reads_circumstances: bool,
    reads_tool: bool,
}

impl Set {
    /// Checks these files, all of them, as one set.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the files.
    pub fn compile(sources: &[Source<'_>]) -> Result<Self, Vec<Problem>> {
        let mut found = Vec::new();
        let ours = |says: &dyn Diagnostic| {
            vec![Problem::of_cedar("schema.cedarschema", builtin::SCHEMA, says, MEND)]
        };
        let names = Names::new().map_err(|e| ours(e.as_ref()))?;
        let schema = Schema::from_cedarschema_str(builtin::SCHEMA)
            .map(|(schema, _)| schema)
            .map_err(|e| ours(&e))?;

        let mut policies = PolicySet::new();
        let mut written_in = HashMap::new();
        for source in sources {
            for policy in parse(*source, &mut found) {
                let id = policy.id().clone();
                if policies.add(policy).is_err() {
                    let what = format!("a second policy with `@id(\"{id}\")`");
                    found.push(Problem::of_file(source.file, what, "give each its own id"));
                } else {
                    written_in.insert(id, *source);
                }
            }
        }

        let checked = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        let errors = checked.validation_errors().map(|e| (e.policy_id(), e as &dyn Diagnostic));
        let warnings = checked.validation_warnings().map(|w| (w.policy_id(), w as &dyn Diagnostic));
        for (id, says) in errors.chain(warnings) {
            let source = written_in.get(id).copied().unwrap_or(Source { file: "?", text: "" });
            found.push(Problem::of_cedar(source.file, source.text, says, COMPARE));
        }
        if !found.is_empty() {
            return Err(found);
        }
        let looks: Vec<_> = policies.policies().map(Look::of).collect();
        let reads_circumstances = looks.iter().any(|look| look.at_circumstances);
        let reads_tool = looks.iter().any(|look| look.at_tool);
        let digest = digest(sources);
        Ok(Self { digest, names, schema, policies, reads_circumstances, reads_tool })
    }

    /// Whether some policy looks at the moment of a request. If none does, a decision depends on
    /// caller, action, tool and resource alone and may be remembered.
    #[must_use]
    pub fn reads_circumstances(&self) -> bool {
        self.reads_circumstances
    }

    /// Whether some policy looks at the tool that asks. If none does, a decision is the same for
    /// all tools of an action.
    #[must_use]
    pub fn reads_tool(&self) -> bool {
        self.reads_tool
    }

    /// SHA-256 over the files that it was made of, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The ids of its policies, in alphabetical order.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.policies.policies().map(|p| p.id().to_string()).collect();
        ids.sort();
        ids
    }

    /// Decides. A tenant that does not exist is denied like one that is not the caller's (I4).
    #[must_use]
    pub fn decide(
        &self,
        subject: &Subject<'_>,
        wish: impl Into<Wished>,
        resource: &Resource,
        tenants: &dyn Directory,
        now: Timestamp,
    ) -> Verdict {
        let Some(object) = Object::find(resource, subject, tenants) else {
            return Verdict { allowed: false, because: Vec::new(), errors: Vec::new() };
        };
        let set = (&self.names, &self.schema, &self.policies);
        cedar::evaluate(set, subject, wish.into().0, &object, tenants, now)
    }
}

/// What is asked for: an action alone, or an action and the tool that asks for it.
#[derive(Debug, Clone, Copy)]
pub struct Wished(Wish);

impl From<Action> for Wished {
    fn from(action: Action) -> Self {
        Self((action, None))
    }
}

impl From<(Action, Option<ToolName>)> for Wished {
    fn from(wish: (Action, Option<ToolName>)) -> Self {
        Self(wish)
    }
}

/// Of the names (without their directory) and the texts, each with its length, so that nothing
/// moved from one file to the next gives the same sum.
fn digest(sources: &[Source<'_>]) -> String {
    let mut sum = Sha256::new();
    for source in sources {
        let name = source.file.rsplit('/').next().unwrap_or(source.file);
        for text in [name, source.text] {
            sum.update((text.len() as u64).to_be_bytes());
            sum.update(text);
        }
    }
    let mut hex = String::with_capacity(64);
    for byte in sum.finalize() {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// The policies of one file, each under its `@id`.
fn parse(source: Source<'_>, found: &mut Vec<Problem>) -> Vec<Policy> {
    let Source { file, text } = source;
    let parsed = match PolicySet::from_str(text) {
        Ok(parsed) => parsed,
        Err(errors) => {
            found.extend(errors.iter().map(|e| Problem::of_cedar(file, text, e, MEND)));
            return Vec::new();
        }
    };
    for template in parsed.templates() {
        let what = format!("a template (`{}`) that nothing fills in", template.id());
        found.push(Problem::of_file(file, what, "write the policy out, without `?principal`"));
    }
    let mut named = Vec::new();
    for policy in parsed.policies() {
        if let Some(id) = policy.annotation("id").filter(|id| !id.is_empty()) {
            named.push(policy.new_id(PolicyId::new(id)));
        } else {
            let what = format!("the policy at position {} has no id", position(policy));
            found.push(Problem::of_file(file, what, "write `@id(\"…\")` before it"));
        }
    }
    named
}

/// Cedar numbers the policies of a file `policy0`, `policy1`, …
fn position(policy: &Policy) -> usize {
    let id = policy.id().to_string();
    id.strip_prefix("policy").and_then(|n| n.parse::<usize>().ok()).unwrap_or(0) + 1
}

/// What a policy looks at in `context`. When in doubt, at everything.
#[derive(Debug, Default)]
struct Look {
    at_tool: bool,
    at_circumstances: bool,
}

impl Look {
    fn of(policy: &Policy) -> Self {
        let mut look = Self::default();
        match policy.to_json() {
            Ok(json) => look.over(&json),
            Err(_) => look = Self { at_tool: true, at_circumstances: true },
        }
        look
    }

    fn over(&mut self, value: &serde_json::Value) {
        match value {
            serde_json::Value::Object(map) => {
                for (key, inner) in map {
                    if matches!(key.as_str(), "." | "has") && is_tool(inner) {
                        self.at_tool = true;
                    } else if key == "Var" && inner == "context" {
                        self.at_circumstances = true;
                    } else {
                        self.over(inner);
                    }
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| self.over(item)),
            _ => {}
        }
    }
}

/// Whether this is `context.tool`, and nothing else.
fn is_tool(access: &serde_json::Value) -> bool {
    *access == serde_json::json!({"left": {"Var": "context"}, "attr": "tool"})
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::world::World, *};
    use crate::domain::{
        action::Access,
        key::{KeyId, Role},
        memory::Tag,
        pack::Pack,
        reach::Tags,
        tenant::TenantLabel,
        tool::Tools,
    };

    fn set(text: &str) -> Result<Set, Vec<Problem>> {
        Set::compile(&[Source { file: "x.cedar", text }])
    }

    /// What the set says to an agent of `own` about `memory_read` of `other`.
    fn reads(set: &Set, own: &str, other: &str, act_as: &[&str]) -> Verdict {
        let label = |text: &str| TenantLabel::parse(text).unwrap();
        let mut world = World::default();
        let own = world.tenant(&label(own)).unwrap();
        let other = world.tenant(&label(other)).unwrap();
        let act_as: Vec<_> = act_as.iter().map(|text| label(text)).collect();
        for label in &act_as {
            world.tenant(label).unwrap();
        }
        let key = World::key().unwrap();
        let subject =
            Subject { tenant: Some(&own), act_as: &act_as, ..Subject::of(&key, Role::Agent) };
        let now = Timestamp::UNIX_EPOCH;
        set.decide(&subject, Action::MemoryRead, &Resource::Tenant(other.id), &world, now)
    }

    const PERMIT_ALL: &str = "@id(\"all\") permit (principal, action, resource);";

    #[test]
    fn i3_no_policy_denies() {
        let verdict = reads(&set("").unwrap(), "acme", "acme", &[]);
        assert_eq!(verdict, Verdict { allowed: false, because: vec![], errors: vec![] });
    }

    #[test]
    fn i3_a_forbid_that_fails_denies() {
        assert!(reads(&set(PERMIT_ALL).unwrap(), "acme", "acme", &[]).allowed);
        // Cedar skips the failing forbid and says "allow"; memgate must not.
        let failing = "@id(\"no\") forbid (principal, action, resource)
                       when { context.now.toTime() == duration(\"1d\") ||
                              9223372036854775807 + 1 == 0 };";
        let verdict = reads(&set(&format!("{PERMIT_ALL}{failing}")).unwrap(), "acme", "acme", &[]);
        assert!(!verdict.allowed);
        assert_eq!(verdict.because, ["all"]);
        assert!(verdict.errors[0].contains("overflow"), "{:?}", verdict.errors);
    }

    #[test]
    fn i3_a_permit_that_fails_denies_what_another_permits() {
        let failing = "@id(\"odd\") permit (principal, action, resource)
                       when { 9223372036854775807 + 1 == 0 };";
        let verdict = reads(&set(&format!("{PERMIT_ALL}{failing}")).unwrap(), "acme", "acme", &[]);
        assert!(!verdict.allowed && !verdict.errors.is_empty());
    }

    #[test]
    fn i3_facts_that_do_not_fit_the_schema_deny() {
        let set = set(PERMIT_ALL).unwrap();
        let key = World::key().unwrap();
        let subject = Subject::of(&key, Role::Operator);
        let (world, now) = (World::default(), Timestamp::UNIX_EPOCH);
        let said = |action| set.decide(&subject, action, &Resource::Deployment, &world, now);
        assert!(said(Action::SessionList).allowed);
        // `connect` is never about the deployment.
        let verdict = said(Action::Connect);
        assert!(!verdict.allowed && !verdict.errors.is_empty());
    }

    #[test]
    fn i4_a_tenant_that_does_not_exist_is_denied() {
        let set = set(PERMIT_ALL).unwrap();
        let key = World::key().unwrap();
        let subject = Subject::of(&key, Role::Agent);
        let id = crate::domain::tenant::TenantId::parse("t_zzzzzzzzzzzzzzzzzzzz").unwrap();
        let (world, now) = (World::default(), Timestamp::UNIX_EPOCH);
        let verdict = set.decide(&subject, Action::MemoryRead, &Resource::Tenant(id), &world, now);
        assert!(!verdict.allowed);
    }

    #[test]
    fn every_pack_and_role_is_in_the_schema() {
        let set = set(PERMIT_ALL).unwrap();
        let world = World::default();
        for role in [Role::Agent, Role::Operator] {
            for pack in Pack::ALL {
                let key = KeyId::parse("env-local").unwrap();
                let packs = [pack].into_iter().collect();
                let subject = Subject { packs, ..Subject::of(&key, role) };
                let now = Timestamp::UNIX_EPOCH;
                let verdict =
                    set.decide(&subject, Action::StatsRead, &Resource::Deployment, &world, now);
                assert!(verdict.allowed, "{role} {pack}: {:?}", verdict.errors);
            }
        }
    }

    #[test]
    fn complaints_name_the_line_and_say_what_to_do() {
        let cases = [
            ("\n\n@id(\"a\")\npermit (principal action, resource);", 4, "unexpected token"),
            ("\n@id(\"a\")\npermit (principal, action == Action::\"fly\", resource);", 3, "fly"),
            (
                "@id(\"a\")\npermit (principal in Role::\"opertor\", action, resource);",
                2,
                "opertor",
            ),
            (
                "@id(\"a\")\npermit (principal, action, resource is Tenant)\n\
                 when { principal.tenant == resource };",
                3,
                "tenant",
            ),
        ];
        for (text, line, word) in cases {
            let found = set(text).unwrap_err();
            let said = found[0].to_string();
            assert!(said.starts_with(&format!("x.cedar:{line}: ")), "{said}");
            assert!(said.contains(word), "{said}");
            assert!(!found[0].fix.is_empty());
        }
    }

    #[test]
    fn a_warning_refuses_the_set() {
        // It can never match, so whoever wrote it believes in something that is not there.
        let found = set("@id(\"a\") permit (principal, action, resource) when { false };");
        assert!(found.unwrap_err()[0].what.contains("impossible"));
        // An action on a resource that it is never asked about.
        let found = set("@id(\"a\")
            permit (principal, action == Action::\"connect\", resource is Deployment);");
        assert!(found.is_err());
    }

    #[test]
    fn ids_are_there_and_unique_and_templates_are_not() {
        let what = |text: &str| set(text).unwrap_err()[0].what.clone();
        assert!(what("permit (principal, action, resource);").contains("position 1 has no id"));
        assert!(what(&format!("{PERMIT_ALL}{PERMIT_ALL}")).contains("a second policy"));
        let template = "@id(\"t\") permit (principal == ?principal, action, resource);";
        assert!(what(template).contains("template"));
    }

    #[test]
    fn reading_the_circumstances_is_noticed() {
        let text = "@id(\"n\") forbid (principal, action, resource)
                    unless { if true then context.now > datetime(\"1970-01-02\") else false };";
        let night = set(&format!("{PERMIT_ALL}{text}")).unwrap();
        assert!(night.reads_circumstances());
        assert!(!set(PERMIT_ALL).unwrap().reads_circumstances());
        // A string that says "context" is not a look at it.
        let text = "@id(\"s\") permit (principal, action, resource is Tenant)
                    when { resource.label == \"context\" };";
        assert!(!set(text).unwrap().reads_circumstances());
    }

    #[test]
    fn reading_the_tool_is_told_from_reading_the_moment() {
        let by_tool = "@id(\"t\") permit (principal, action == Action::\"memory_read\", resource)
                       when { context has tool && context.tool == Tool::\"retrieve_memory\" };";
        let read = |text: &str| {
            let set = set(text).unwrap();
            (set.reads_tool(), set.reads_circumstances())
        };
        assert_eq!(read(by_tool), (true, false));
        let by_both = by_tool.replace("};", "&& context.weekday < 6 };");
        assert_eq!(read(&by_both), (true, true));
        assert_eq!(read(PERMIT_ALL), (false, false));
    }

    #[test]
    fn every_tool_and_every_bound_is_in_the_schema() {
        let set = set(PERMIT_ALL).unwrap();
        let mut world = World::default();
        let own = world.tenant(&TenantLabel::parse("acme").unwrap()).unwrap();
        let tags = Tags::of(vec![Tag::parse("Work").unwrap()]).unwrap();
        let key = World::key().unwrap();
        let subject = Subject {
            tenant: Some(&own),
            tools: Some(Tools::of(ToolName::ALL.iter().copied()).unwrap()),
            access: Access::Read,
            tags: Some(&tags),
            ..Subject::of(&key, Role::Agent)
        };
        let resource = Resource::Tenant(own.id.clone());
        for tool in ToolName::ALL {
            let wish = (tool.action(), Some(*tool));
            let verdict = set.decide(&subject, wish, &resource, &world, Timestamp::UNIX_EPOCH);
            assert!(verdict.allowed, "{tool}: {:?}", verdict.errors);
        }
    }

    #[test]
    fn a_policy_can_speak_of_the_bounds() {
        let text = "@id(\"b\") permit (principal, action, resource)
                    when { principal has tools && principal.tools.contains(Tool::\"echo\") &&
                           principal.read_only &&
                           principal has tags && principal.tags.contains(\"work\") };";
        let set = set(text).unwrap();
        let tags = Tags::of(vec![Tag::parse("Work").unwrap()]).unwrap();
        let key = World::key().unwrap();
        let bounded = Subject {
            tools: Some(Tools::of([ToolName::Echo]).unwrap()),
            access: Access::Read,
            tags: Some(&tags),
            ..Subject::of(&key, Role::Operator)
        };
        let (world, now) = (World::default(), Timestamp::UNIX_EPOCH);
        let said = |subject: &Subject<'_>| {
            set.decide(subject, Action::StatsRead, &Resource::Deployment, &world, now).allowed
        };
        assert!(said(&bounded));
        assert!(!said(&Subject { tools: None, ..bounded }));
        assert!(!said(&Subject { access: Access::Write, ..bounded }));
        assert!(!said(&Subject { tags: None, ..bounded }));
    }

    fn label() -> impl Strategy<Value = String> {
        "[a-z0-9][a-z0-9_-]{0,62}"
    }

    /// Labels are data: whatever a tenant is called, it is itself and nobody else.
    #[test]
    fn i1_a_label_is_never_syntax() {
        let set = super::super::load::load(None).unwrap();
        proptest!(|(own in label(), other in label(), third in label())| {
            prop_assert!(reads(&set, &own, &own, &[]).allowed);
            prop_assert_eq!(reads(&set, &own, &other, &[]).allowed, own == other);
            let acting = reads(&set, &own, &other, &[&third]);
            prop_assert_eq!(acting.allowed, other == own || other == third);
            prop_assert!(reads(&set, &own, &other, &[&other]).allowed);
        });
    }
}
