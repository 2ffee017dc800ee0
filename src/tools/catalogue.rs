//! The one list of tools.
//!
//! To add a tool: its file, and a line here. Whether a caller may use what it finds here is
//! decided by `mcp::dispatch`; what it sees of the list is [`Catalogue::visible`].

use std::sync::Arc;

use super::{
    Tool, add_memory::AddMemory, delete_memory::DeleteMemory, echo::Echo,
    get_memory_content::GetMemoryContent, get_time::GetTime, get_user_profile::GetUserProfile,
    get_user_stats::GetUserStats, health_check::HealthCheck, list_users::ListUsers,
    retrieve_memories::RetrieveMemories, retrieve_memory::RetrieveMemory,
    store_memory::StoreMemory, update_memory::UpdateMemory,
};
use crate::domain::{bounds::Bounds, pack::Packs};

/// Every tool there is, made once.
#[derive(Debug)]
pub struct Catalogue {
    tools: Vec<Arc<dyn Tool>>,
}

impl Catalogue {
    /// Makes the tools and their schemas.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tools: vec![
                Arc::new(StoreMemory::default()),
                Arc::new(RetrieveMemories::default()),
                Arc::new(GetMemoryContent::default()),
                Arc::new(UpdateMemory::default()),
                Arc::new(DeleteMemory::default()),
                Arc::new(GetUserStats::default()),
                Arc::new(ListUsers::default()),
                Arc::new(AddMemory::default()),
                Arc::new(RetrieveMemory::default()),
                Arc::new(GetUserProfile::default()),
                Arc::new(HealthCheck::default()),
                Arc::new(Echo::default()),
                Arc::new(GetTime::default()),
            ],
        }
    }

    /// The tool of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.tools.iter().find(|tool| tool.spec().name == name)
    }

    /// Every tool, in listing order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Tool>> {
        self.tools.iter()
    }

    /// The tools that a key with these packs and bounds sees, in listing order: pack by pack.
    pub fn visible(
        &self,
        packs: Packs,
        may_act_as: bool,
        bounds: &Bounds,
    ) -> impl Iterator<Item = &Arc<dyn Tool>> {
        self.tools.iter().filter(move |tool| tool.spec().is_seen(packs, may_act_as, bounds))
    }
}

impl Default for Catalogue {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tool::ToolName;

    #[test]
    fn every_tool_is_in_the_list_of_names_with_its_pack_and_action() {
        let catalogue = Catalogue::new();
        let made: Vec<_> = catalogue.iter().map(|tool| tool.spec()).collect();
        assert_eq!(made.len(), ToolName::ALL.len());
        for (spec, name) in made.iter().zip(ToolName::ALL) {
            assert_eq!(spec.tool_name(), Some(*name), "{}", spec.name);
            assert_eq!((spec.pack, spec.action), (name.pack(), name.action()), "{name}");
        }
    }
}
