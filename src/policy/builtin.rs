//! The policies that come with memgate: the very files of `policies/`, embedded.

use super::set::Source;

/// What memgate tells Cedar. Not a setting: the program fills in these facts.
pub const SCHEMA: &str = include_str!("../../policies/schema.cedarschema");

/// The walls between tenants, and between using and managing; part of every set.
pub const ISOLATION: Source<'static> =
    Source { file: "00-isolation.cedar", text: include_str!("../../policies/00-isolation.cedar") };

/// What agents and operators may do, unless a directory says otherwise.
pub const ROLES: [Source<'static>; 2] = [
    Source { file: "10-agent.cedar", text: include_str!("../../policies/10-agent.cedar") },
    Source { file: "40-operator.cedar", text: include_str!("../../policies/40-operator.cedar") },
];

/// The cases that the built-in set is tested with, as (file, text).
pub const CASES: [(&str, &str); 3] = [
    ("agent.json", include_str!("../../policies/tests/agent.json")),
    ("isolation.json", include_str!("../../policies/tests/isolation.json")),
    ("operator.json", include_str!("../../policies/tests/operator.json")),
];
