//! The names of the tools: the closed list out of which a key can be given single ones.
//!
//! What a tool does stands in the room `tools`; a test there holds its catalogue and this list
//! together, so a key can be bounded, shown and decided about before any tool is made.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Error, Result, action::Action, pack::Pack};

macro_rules! tools {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $pack:ident, $action:ident;)+) => {
        /// A tool's name. The same names stand in `policies/schema.cedarschema`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ToolName { $($(#[$doc])* $name,)+ }

        impl ToolName {
            /// Every name, in listing order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name in the protocol, in policies and on the command line.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The family that it belongs to.
            #[must_use]
            pub fn pack(self) -> Pack {
                match self { $(Self::$name => Pack::$pack,)+ }
            }

            /// What policy is asked about it.
            #[must_use]
            pub fn action(self) -> Action {
                match self { $(Self::$name => Action::$action,)+ }
            }
        }
    };
}

tools! {
    /// Stores a text.
    StoreMemory = "store_memory", Memento, MemoryWrite;
    /// Finds memories.
    RetrieveMemories = "retrieve_memories", Memento, MemoryRead;
    /// Reads one memory.
    GetMemoryContent = "get_memory_content", Memento, MemoryRead;
    /// Changes a memory.
    UpdateMemory = "update_memory", Memento, MemoryWrite;
    /// Deletes a memory.
    DeleteMemory = "delete_memory", Memento, MemoryDelete;
    /// Counts.
    GetUserStats = "get_user_stats", Memento, UsageRead;
    /// Names the tenants that the key may act for.
    ListUsers = "list_users", Memento, UsageRead;
    /// Stores one exchange of a conversation.
    AddMemory = "add_memory", Memoryos, MemoryWrite;
    /// Finds exchanges and knowledge.
    RetrieveMemory = "retrieve_memory", Memoryos, MemoryRead;
    /// Reads the profile.
    GetUserProfile = "get_user_profile", Memoryos, ProfileRead;
    /// Says whether the store answers.
    HealthCheck = "health_check", Demo, DemoUse;
    /// Says what it is told.
    Echo = "echo", Demo, DemoUse;
    /// Says the time.
    GetTime = "get_time", Demo, DemoUse;
}

impl ToolName {
    /// The tool with this name.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|tool| tool.as_str() == text)
    }

    /// Reads a name.
    ///
    /// # Errors
    /// Lists the names there are.
    pub fn parse(text: &str) -> Result<Self> {
        Self::find(text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|tool| tool.as_str()).collect();
            Error::bad_input(format!("no tool of that name; there are: {}", names.join(", ")))
        })
    }
}

impl fmt::Display for ToolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ToolName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ToolName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(from)?;
        Self::parse(&text).map_err(|e| de::Error::custom(e.public()))
    }
}

/// Some tools, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "Vec<ToolName>", try_from = "Vec<ToolName>")]
pub struct Tools {
    bits: u32,
}

const _: () = assert!(ToolName::ALL.len() <= 32, "one bit for each tool");

impl Tools {
    /// The set of these.
    ///
    /// # Errors
    /// An empty one: whoever means "no bound" leaves it out (I3).
    pub fn of(tools: impl IntoIterator<Item = ToolName>) -> Result<Self> {
        let bits = tools.into_iter().fold(0, |bits, tool| bits | 1 << tool as u32);
        if bits == 0 {
            return Err(Error::bad_input("`tools` is empty; name a tool, or leave it out"));
        }
        Ok(Self { bits })
    }

    /// Is `tool` among them?
    #[must_use]
    pub fn contains(self, tool: ToolName) -> bool {
        self.bits & (1 << tool as u32) != 0
    }

    /// The tools in listing order.
    pub fn iter(self) -> impl Iterator<Item = ToolName> {
        ToolName::ALL.iter().copied().filter(move |tool| self.contains(*tool))
    }
}

impl TryFrom<Vec<ToolName>> for Tools {
    type Error = String;

    fn try_from(tools: Vec<ToolName>) -> Result<Self, String> {
        Self::of(tools).map_err(|e| e.public().to_owned())
    }
}

impl From<Tools> for Vec<ToolName> {
    fn from(tools: Tools) -> Self {
        tools.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_no_other_does() {
        for tool in ToolName::ALL {
            assert_eq!(ToolName::parse(tool.as_str()).unwrap(), *tool);
        }
        for bad in ["", "Echo", "echo ", "execute_command"] {
            assert!(ToolName::parse(bad).unwrap_err().public().contains("store_memory"), "{bad}");
        }
    }

    #[test]
    fn i3_no_set_of_tools_is_empty() {
        assert!(Tools::of([]).is_err());
        assert!(serde_json::from_str::<Tools>("[]").is_err());
        assert!(serde_json::from_str::<Tools>(r#"["fly"]"#).is_err());
        let tools: Tools = serde_json::from_str(r#"["echo","store_memory","echo"]"#).unwrap();
        assert_eq!(serde_json::to_string(&tools).unwrap(), r#"["store_memory","echo"]"#);
        assert!(tools.contains(ToolName::Echo) && !tools.contains(ToolName::GetTime));
    }
}
