//! What a new key must be like.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::NewKey;
use crate::domain::{
    Error, Result,
    client::is_hidden,
    key::Role,
    rate_class::RateClass,
    tool::{ToolName, Tools},
};

/// The longest name of a key, in characters.
const MAX_NAME_CHARS: usize = 64;

/// Whether such a key can be made.
///
/// # Errors
/// `BadInput` names the rule that `new` breaks, and what to do.
pub(super) fn check(new: &NewKey, classes: &BTreeSet<RateClass>, now: Timestamp) -> Result<()> {
    let name = new.name.trim();
    let bounds = &new.bounds;
    let rule = match (new.role, &new.tenant) {
        (Role::Agent, None) => "an agent key needs a tenant",
        (Role::Operator, Some(_)) => "an operator key belongs to no tenant",
        (Role::Operator, None) if !new.act_as.is_empty() => {
            "an operator key acts for no tenant; only an agent key can have `act_as`"
        }
        (Role::Operator, None) if bounds.tools.is_some() || bounds.tags.is_some() => {
            "an operator key calls no tool and sees no memory; only an agent key can have `tools` \
             or `tags`"
        }
        _ if new.act_as.iter().collect::<BTreeSet<_>>().len() < new.act_as.len() => {
            "`act_as` names a tenant twice; name each once"
        }
        _ if new.name.chars().count() > MAX_NAME_CHARS => "a key's name has at most 64 characters",
        _ if name.len() != new.name.len() || new.name.chars().any(is_hidden) => {
            "a key's name has no control or invisible characters and no spaces around it"
        }
        _ if new.expires_at.is_some_and(|end| end <= now) => {
            "a key's date of expiry must lie ahead"
        }
        _ => return fits(new, classes),
    };
    Err(Error::bad_input(rule))
}

/// Whether the bounds fit together and to the settings. A key that could do nothing at all is
/// somebody's mistake.
fn fits(new: &NewKey, classes: &BTreeSet<RateClass>) -> Result<()> {
    let bounds = &new.bounds;
    let tools = || bounds.tools.into_iter().flat_map(Tools::iter);
    if let Some(packs) = new.packs
        && let Some(tool) = tools().find(|tool| !packs.contains(tool.pack()))
    {
        let pack = tool.pack();
        return Err(Error::bad_input(format!(
            "the tool `{tool}` is of the pack `{pack}`, which this key does not see; add that pack, \
             or name none"
        )));
    }
    if let Some(tool) = tools().find(|tool| !bounds.permit(tool.action(), Some(*tool))) {
        return Err(Error::bad_input(format!(
            "the tool `{tool}` writes, and the access of this key is `read`; leave one out"
        )));
    }
    if new.act_as.is_empty() && tools().any(|tool| tool == ToolName::ListUsers) {
        let rule = "the tool `list_users` is for keys that act for others; name some in `act_as`";
        return Err(Error::bad_input(rule));
    }
    if let Some(class) = bounds.rate_class.as_ref().filter(|class| !classes.contains(*class)) {
        let known: Vec<_> = classes.iter().map(RateClass::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(Error::bad_input(format!(
            "no rate class `{class}`; `limits.classes` has: {known}"
        )));
    }
    Ok(())
}
