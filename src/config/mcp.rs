//! The MCP endpoint.

use std::time::Duration;

use crate::domain::pack::Packs;

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
