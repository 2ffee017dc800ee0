//! The whole of what a set permits, as one table that a reviewer can read.
//!
//! Role by action by resource: the caller's own tenant, one that it may act for, a stranger's,
//! the deployment. The built-in set's table is `policies/matrix.txt`, so that a change of
//! permissions shows as a change of text.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{facts::Subject, set::Set, world::World};
use crate::domain::{
    Result,
    action::{Action, Resource},
    key::Role,
    pack::Pack,
    tenant::TenantLabel,
};

const COLUMNS: [&str; 4] = ["own", "act_as", "other", "deployment"];

/// The table: a line for each role and action, `yes` or a dash in four columns.
///
/// # Errors
/// None in practice: the names in it are fixed and valid.
pub fn table(set: &Set) -> Result<String> {
    let mut world = World::default();
    let [own, act_as, other] = ["own", "act-as", "other"].map(TenantLabel::parse);
    let (own, act_as, other) = (own?, act_as?, other?);
    let tenants = [world.tenant(&own)?, world.tenant(&act_as)?, world.tenant(&other)?];
    let key = World::key()?;
    let act_as = [act_as];

    let mut text = format!("{:<9}{:<15}", "role", "action");
    for column in COLUMNS {
        let _ = write!(text, "{column:<11}");
    }
    for role in [Role::Agent, Role::Operator] {
        text = text.trim_end().to_owned() + "\n";
        for &action in Action::ALL {
            let subject = Subject {
                tenant: (role == Role::Agent).then_some(&tenants[0]),
                act_as: &act_as,
                packs: Pack::ALL.into_iter().collect(),
                ..Subject::of(&key, role)
            };
            let mut line = format!("{:<9}{:<15}", role.as_str(), action.as_str());
            let resources = tenants.iter().map(|t| Resource::Tenant(t.id.clone()));
            for resource in resources.chain([Resource::Deployment]) {
                let now = Timestamp::UNIX_EPOCH;
                let verdict = set.decide(&subject, action, &resource, &world, now);
                let _ = write!(line, "{:<11}", if verdict.allowed { "yes" } else { "-" });
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::load;

    #[test]
    fn what_the_built_in_set_permits_is_what_reviewers_saw() {
        let now = table(&load::load(None).unwrap()).unwrap();
        let seen = include_str!("../../policies/matrix.txt");
        assert_eq!(now, seen, "permissions changed: if it is meant, write this table down:\n{now}");
    }
}
