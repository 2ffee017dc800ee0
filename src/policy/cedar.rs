//! Our facts in Cedar's words, and Cedar's answer in ours.
//!
//! Entities are built through Cedar's API and checked against the schema; no text of ours is
//! ever parsed as policy, so a label cannot be syntax. SECURITY: Cedar skips a policy that fails
//! while it is evaluated, so a failing `forbid` would vanish; here any error denies. Test:
//! `i3_a_forbid_that_fails_denies`.

use std::{
    collections::{HashMap, HashSet},
    str::FromStr,
};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    ParseErrors, PolicySet, Request, RestrictedExpression, Schema,
};
use jiff::{Timestamp, tz::TimeZone};

use super::facts::{Directory, Object, Subject};
use crate::domain::{
    action::{Access, Action},
    tenant::Tenant,
    tool::ToolName,
};

/// What Cedar said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Allowed; false when anything went wrong.
    pub allowed: bool,
    /// The ids of the policies that decided; none when nothing matched.
    pub because: Vec<String>,
    /// What went wrong.
    pub errors: Vec<String>,
}

impl Verdict {
    fn failed(error: &Fault) -> Self {
        Self { allowed: false, because: Vec::new(), errors: vec![error.to_string()] }
    }
}

/// The schema's names, parsed once.
#[derive(Debug)]
pub(super) struct Names {
    key: EntityTypeName,
    tenant: EntityTypeName,
    role: EntityTypeName,
    pack: EntityTypeName,
    tool: EntityTypeName,
    deployment: EntityUid,
    actions: Vec<EntityUid>,
}

impl Names {
    pub(super) fn new() -> Result<Self, Box<ParseErrors>> {
        let name = |text: &str| EntityTypeName::from_str(text).map_err(Box::new);
        let action = name("Action")?;
        let actions = Action::ALL.iter().map(|a| uid(&action, a.as_str())).collect();
        Ok(Self {
            key: name("Key")?,
            tenant: name("Tenant")?,
            role: name("Role")?,
            pack: name("Pack")?,
            tool: name("Tool")?,
            deployment: uid(&name("Deployment")?, "memgate"),
            actions,
        })
    }

    fn tenant(&self, tenant: &Tenant) -> EntityUid {
        uid(&self.tenant, tenant.id.as_str())
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// What is asked for: an action, and the tool that asks for it, if it is one.
pub(super) type Wish = (Action, Option<ToolName>);

/// One question to Cedar. `now` is the moment that policies may look at.
pub(super) fn evaluate(
    (names, schema, policies): (&Names, &Schema, &PolicySet),
    subject: &Subject<'_>,
    wish: Wish,
    object: &Object,
    tenants: &dyn Directory,
    now: Timestamp,
) -> Verdict {
    match question(names, schema, subject, wish, object, tenants, now) {
        Err(error) => Verdict::failed(&error),
        Ok((request, entities)) => {
            let response = Authorizer::new().is_authorized(&request, policies, &entities);
            let said = response.diagnostics();
            let errors: Vec<_> = said.errors().map(ToString::to_string).collect();
            // INVARIANT I3: an error is a denial, even when a permit matched.
            let allowed = errors.is_empty() && response.decision() == Decision::Allow;
            let mut because: Vec<_> = said.reason().map(ToString::to_string).collect();
            because.sort();
            Verdict { allowed, because, errors }
        }
    }
}

type Fault = Box<dyn std::error::Error>;

fn question(
    names: &Names,
    schema: &Schema,
    subject: &Subject<'_>,
    wish: Wish,
    object: &Object,
    tenants: &dyn Directory,
    now: Timestamp,
) -> Result<(Request, Entities), Fault> {
    let act_as: Vec<Tenant> = subject.act_as.iter().filter_map(|l| tenants.by_label(l)).collect();
    let key = uid(&names.key, subject.key.as_str());
    let (resource, asked_for) = match object {
        Object::Tenant(tenant) => (names.tenant(tenant), Some(tenant)),
        Object::Deployment => (names.deployment.clone(), None),
    };

    let of_tenant = |tenant| RestrictedExpression::new_entity_uid(names.tenant(tenant));
    let of_pack = |pack: &str| RestrictedExpression::new_entity_uid(uid(&names.pack, pack));
    let of_tool =
        |tool: ToolName| RestrictedExpression::new_entity_uid(uid(&names.tool, tool.as_str()));
    let mut attributes = HashMap::from([
        ("act_as".to_owned(), RestrictedExpression::new_set(act_as.iter().map(of_tenant))),
        (
            "packs".to_owned(),
            RestrictedExpression::new_set(subject.packs.iter().map(|p| of_pack(p.as_str()))),
        ),
    ]);
    let reads = RestrictedExpression::new_bool(subject.access == Access::Read);
    attributes.insert("read_only".to_owned(), reads);
    if let Some(tools) = subject.tools {
        let tools = RestrictedExpression::new_set(tools.iter().map(of_tool));
        attributes.insert("tools".to_owned(), tools);
    }
    if let Some(tags) = subject.tags {
        let tags = tags.iter().map(|tag| RestrictedExpression::new_string(tag.folded()));
        attributes.insert("tags".to_owned(), RestrictedExpression::new_set(tags));
    }
    if let Some(own) = subject.tenant {
        attributes.insert("tenant".to_owned(), of_tenant(own));
    }
    let role = uid(&names.role, subject.role.as_str());

    let mut entities = vec![Entity::new(key.clone(), attributes, HashSet::from([role]))?];
    let mut told = HashSet::new();
    for tenant in act_as.iter().chain(subject.tenant).chain(asked_for) {
        if told.insert(&tenant.id) {
            let label = RestrictedExpression::new_string(tenant.label.as_str().to_owned());
            let attributes = HashMap::from([("label".to_owned(), label)]);
            entities.push(Entity::new(names.tenant(tenant), attributes, HashSet::new())?);
        }
    }
    let entities = Entities::from_entities(entities, Some(schema))?;

    let weekday = now.to_zoned(TimeZone::UTC).weekday().to_monday_one_offset();
    let weekday = RestrictedExpression::new_long(weekday.into());
    let now = RestrictedExpression::new_datetime(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let (action, tool) = wish;
    let tool = tool.map(|tool| ("tool".to_owned(), of_tool(tool)));
    let moment = [("now".to_owned(), now), ("weekday".to_owned(), weekday)];
    let context = Context::from_pairs(moment.into_iter().chain(tool))?;
    let action = names.actions.get(action as usize).ok_or("an action without a name")?;
    let request = Request::new(key, action.clone(), resource, context, Some(schema))?;
    Ok((request, entities))
}
