//! `delete_memory`: remove one memory, named by its id.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Annotations, Answer, Context, Tool, ToolSpec, one_memory::OneMemory, schema};
use crate::domain::{Error, Result, action::Action, memory::MemoryId, pack::Pack};

/// The tool.
#[derive(Debug)]
pub struct DeleteMemory {
    spec: ToolSpec,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Output {
    status: &'static str,
    message: String,
    user_id: String,
    #[schemars(with = "String")]
    memory_id: MemoryId,
}

impl Default for DeleteMemory {
    /// The tool with its schemas.
    fn default() -> Self {
        Self {
            spec: ToolSpec {
                name: "delete_memory",
                title: "Delete a memory",
                description: "Use this to remove one memory for good, by its id, when the user \
                              asks for it. It cannot be undone.",
                pack: Pack::Memento,
                action: Action::MemoryDelete,
                annotations: Annotations::REPLACES,
                input: schema::input::<OneMemory>(),
                output: schema::output::<Output>(),
                aliases: OneMemory::ALIASES,
                needs_act_as: false,
            },
        }
    }
}

#[async_trait]
impl Tool for DeleteMemory {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, context: Context, arguments: Map<String, Value>) -> Result<Answer> {
        let OneMemory { memory_id } = OneMemory::read(arguments)?;
        let memory = context.store.delete(&memory_id).await?;
        let memory = memory.ok_or_else(|| Error::not_found("memory"))?;
        let message =
            format!("Successfully deleted memory {} for user {}", memory.id, context.tenant);
        Answer::new(
            message.clone(),
            &Output {
                status: "success",
                message,
                user_id: context.tenant.as_str().to_owned(),
                memory_id: memory.id,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::tools::testing::{World, call};

    #[tokio::test]
    async fn deletes_one_and_only_once() {
        let world = World::at("2024-07-15T14:30:52Z");
        let id = world.note("a.txt", "x", "", "").await;
        world.note("b.txt", "y", "", "").await;
        let answer = call(&world, "delete_memory", json!({ "memory_id": id })).await.unwrap();
        assert_eq!(answer.text, "Successfully deleted memory 20240715_143052_a.txt for user alice");
        let again = call(&world, "delete_memory", json!({ "memory_id": id })).await.unwrap_err();
        assert_eq!(again.public(), "memory not found");
        assert_eq!(world.store.all().len(), 1);
    }

    #[tokio::test]
    async fn there_is_no_mass_deletion() {
        let world = World::new();
        world.note("a.txt", "x", "", "").await;
        for arguments in [
            json!({}),
            json!({"memory_id": ""}),
            json!({"memory_id": "*"}),
            json!({"memory_id": "%"}),
            json!({"memory_id": ["a"]}),
            json!({"filter": {}}),
        ] {
            assert!(call(&world, "delete_memory", arguments).await.is_err());
        }
        assert_eq!(world.store.all().len(), 1);
    }
}
