//! What a key may not: its capabilities, as bounds on what policy permits.
//!
//! INVARIANT I3: bounds only ever narrow. A key without any is what policy makes of it; a key
//! with some is that and less. A bound that this version does not know is an error and never
//! passed over, because what it would have forbidden is unknown
//! (`i3_an_unknown_bound_is_an_error`).

mod words;

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    action::{Access, Action},
    hours::Hours,
    network::Networks,
    rate_class::RateClass,
    reach::{Reach, Tags},
    tool::{ToolName, Tools},
};

/// The bounds of one key; what is `None` is not bounded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// It calls these tools only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Tools>,
    /// With `Read` it does nothing that changes anything.
    #[serde(default, skip_serializing_if = "is_write")]
    pub access: Access,
    /// It sees memories with one of these tags only, and what it stores gets them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// It works from these addresses only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Networks>,
    /// It works at these times only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// It has this rate in the place of `limits.per_key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_class: Option<RateClass>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_write(access: &Access) -> bool {
    *access == Access::Write
}

/// Why a key is not taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// Not from this address.
    Address,
    /// Not at this time.
    Hours,
}

impl Bounds {
    /// Whether `action` is within them; `tool` is the tool that asks for it, if it is one.
    ///
    /// What is no tool (a resource, a completion) is the business of a key with single tools
    /// when one of those does the same action.
    #[must_use]
    pub fn permit(&self, action: Action, tool: Option<ToolName>) -> bool {
        if self.access == Access::Read && action.access() == Access::Write {
            return false;
        }
        match (self.tools, tool) {
            (None, _) => true,
            (Some(tools), Some(tool)) => tools.contains(tool),
            (Some(tools), None) => {
                action == Action::Connect || tools.iter().any(|tool| tool.action() == action)
            }
        }
    }

    /// Whether the key works from `address` at `now`.
    ///
    /// # Errors
    /// Which bound it is outside of.
    pub fn admit(&self, address: IpAddr, now: Timestamp) -> Result<(), Outside> {
        if self.from.as_ref().is_some_and(|networks| !networks.contain(address)) {
            return Err(Outside::Address);
        }
        if self.is_open(now) { Ok(()) } else { Err(Outside::Hours) }
    }

    /// Whether `now` is within its hours.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.hours.as_ref().is_none_or(|hours| hours.contain(now))
    }

    /// The memories it sees.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.tags.clone().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Bounds, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn i3_an_unknown_bound_is_an_error() {
        assert_eq!(read("{}").unwrap(), Bounds::default());
        for bad in [
            r#"{"budget": 7}"#,
            r#"{"tools": []}"#,
            r#"{"tools": ["fly"]}"#,
            r#"{"access": "some"}"#,
            r#"{"access": "Read"}"#,
            r#"{"tags": []}"#,
            r#"{"from": ["everywhere"]}"#,
            r#"{"hours": "always"}"#,
            r#"{"rate_class": ""}"#,
            "[]",
            "null",
            "",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let whole = r#"{"tools":["store_memory","echo"],"access":"read","tags":["Work"],"from":["10.0.0.0/8"],"hours":"mon-fri 08:00-18:00 Europe/Berlin","rate_class":"ci"}"#;
        assert_eq!(serde_json::to_string(&read(whole).unwrap()).unwrap(), whole);
        assert_eq!(serde_json::to_string(&Bounds::default()).unwrap(), "{}");
    }

    #[test]
    fn tools_and_access_narrow_and_never_widen() {
        let all = Bounds::default();
        let reads = Bounds { access: Access::Read, ..Bounds::default() };
        let finds = Tools::of([ToolName::RetrieveMemories, ToolName::StoreMemory]).unwrap();
        let finds = Bounds { tools: Some(finds), ..Bounds::default() };
        let both = Bounds { access: Access::Read, ..finds.clone() };
        for action in Action::ALL {
            assert!(all.permit(*action, None));
            assert_eq!(reads.permit(*action, None), action.access() == Access::Read);
        }
        for tool in ToolName::ALL {
            let action = tool.action();
            assert!(all.permit(action, Some(*tool)));
            let named = matches!(tool, ToolName::RetrieveMemories | ToolName::StoreMemory);
            assert_eq!(finds.permit(action, Some(*tool)), named, "{tool}");
            let read = *tool == ToolName::RetrieveMemories;
            assert_eq!(both.permit(action, Some(*tool)), read, "{tool}");
        }
        // A resource is read by whoever has a tool that reads memories.
        assert!(finds.permit(Action::MemoryRead, None) && finds.permit(Action::Connect, None));
        assert!(!finds.permit(Action::MemoryDelete, None));
        let stores = Tools::of([ToolName::StoreMemory]).unwrap();
        let stores = Bounds { tools: Some(stores), ..Bounds::default() };
        assert!(!stores.permit(Action::MemoryRead, None) && stores.permit(Action::Connect, None));
    }

    #[test]
    fn a_key_is_outside_by_address_or_by_time() {
        let bounds = read(r#"{"from":["10.0.0.0/8"],"hours":"fri 08:00-18:00 UTC"}"#).unwrap();
        let (inside, outside) = ("10.1.1.1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let (noon, night) = ("2026-11-27T12:00:00Z", "2026-11-27T20:00:00Z");
        let (noon, night) = (noon.parse().unwrap(), night.parse().unwrap());
        assert_eq!(bounds.admit(inside, noon), Ok(()));
        assert_eq!(bounds.admit(outside, noon), Err(Outside::Address));
        assert_eq!(bounds.admit(inside, night), Err(Outside::Hours));
        assert_eq!(Bounds::default().admit(outside, night), Ok(()));
    }
}
