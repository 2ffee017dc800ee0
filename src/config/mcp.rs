//! The MCP endpoint.

use std::time::Duration;

use crate::domain::pack::{Pack, Packs};

use super::{
    form::{Count, Flag, Form, Raw, Text, time::Time},
    setting::{Setting, setting},
};

/// `[mcp]`
#[derive(Debug, Clone)]
pub struct Mcp {
    /// The name in `serverInfo` (`MCP_SERVER_NAME`).
    pub server_name: String,
    /// Tool packs of keys that name none.
    pub packs: Packs,
    /// One tool call may take so long.
    pub tool_timeout: Duration,
    /// Answer with JSON instead of an event stream where the protocol leaves the choice.
    pub json_response: bool,
    /// Tenants whose MCP service is kept ready.
    pub max_services: usize,
}

impl Default for Mcp {
    fn default() -> Self {
        Self {
            server_name: "memgate".to_owned(),
            packs: Packs::default(),
            tool_timeout: Duration::from_secs(30),
            json_response: true,
            max_services: 4096,
        }
    }
}

/// Tool packs, as a list of their names.
#[derive(Debug)]
pub struct PackNames;

impl Form for PackNames {
    type Value = Packs;

    const NAME: &'static str = "packs";

    fn read(raw: &Raw) -> Result<Packs, String> {
        let packs = raw.elements().into_iter().map(Pack::parse).collect::<Result<Vec<_>, _>>();
        match packs {
            Ok(packs) if packs.is_empty() => {
                Err("names no tool pack; name at least one".to_owned())
            }
            Ok(packs) => Ok(packs.into()),
            Err(error) => Err(format!("does not fit: {}", error.public())),
        }
    }

    fn show(value: &Packs) -> String {
        value.iter().map(Pack::as_str).collect::<Vec<_>>().join(",")
    }
}

pub(in crate::config) const SETTINGS: &[Setting] = &[
    setting!(mcp.server_name: Text; "the name in `serverInfo`"),
    setting!(mcp.packs: PackNames; "tool packs of keys that name none"),
    setting!(mcp.tool_timeout: Time, Duration::from_millis(100)..=Duration::from_mins(10);
        "one tool call may take so long"),
    setting!(mcp.json_response: Flag;
        "answer with JSON instead of an event stream where the protocol leaves the choice"),
    setting!(mcp.max_services: Count<usize>, 1..=1_000_000;
        "tenants whose MCP service is kept ready"),
];
