//! The arguments of the tools that work on one memory: its id, and nothing else.

use schemars::JsonSchema;
use serde_json::{Map, Value};

use super::arguments::Reader;
use crate::domain::{Result, memory::MemoryId};

/// Which memory.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct OneMemory {
    /// The id that storing or finding returned.
    #[schemars(with = "String", length(min = 1, max = 200))]
    pub memory_id: MemoryId,
}

impl OneMemory {
    /// Other words for the id, with what they stand for.
    pub const ALIASES: &[(&str, &str)] = &[("id", "memory_id")];

    /// Reads the arguments.
    ///
    /// # Errors
    /// `BadInput` for anything that is not one id.
    pub fn read(arguments: Map<String, Value>) -> Result<Self> {
        let mut given = Reader::new(arguments);
        let input = Self { memory_id: given.memory_id("memory_id")? };
        given.finish()?;
        Ok(input)
    }
}
