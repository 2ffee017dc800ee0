//! `update_memory`: change a memory; its id stays.

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Annotations, Answer, Context, Tool, ToolSpec,
    arguments::{MAX_DESCRIPTION_BYTES, Reader},
    schema,
};
use crate::domain::{
    Error, Result,
    action::Action,
    memory::{MemoryId, MemoryPatch, Tag},
    pack::Pack,
};

/// The tool.
#[derive(Debug)]
pub struct UpdateMemory {
    spec: ToolSpec,
}

#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    /// The id that storing or finding returned.
    #[schemars(with = "String", length(min = 1, max = 200))]
    memory_id: MemoryId,
    /// The new text, whole.
    #[schemars(length(min = 1))]
    content: Option<String>,
    /// The new file name; the id stays.
    filename: Option<String>,
    /// The new description; an empty text removes it.
    description: Option<String>,
    /// All the new tags; an empty list removes them.
    #[schemars(with = "Option<Vec<String>>")]
    tags: Option<Vec<Tag>>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Output {
    status: &'static str,
    message: String,
    user_id: String,
    #[schemars(with = "String")]
    memory_id: MemoryId,
    filename: String,
    description: String,
    #[schemars(with = "Vec<String>")]
    tags: Vec<Tag>,
    size_bytes: usize,
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: Timestamp,
}

impl Default for UpdateMemory {
    /// The tool with its schemas.
    fn default() -> Self {
        Self {
            spec: ToolSpec {
                name: "update_memory",
                title: "Change a memory",
                description: "Use this to correct or replace a stored memory's text, file name, \
                              description or tags. What you leave out stays as it is; what you \
                              give takes the old value's place.",
                pack: Pack::Memento,
                action: Action::MemoryWrite,
                annotations: Annotations::REPLACES,
                input: schema::input::<Input>(),
                output: schema::output::<Output>(),
                aliases: &[
                    ("id", "memory_id"),
                    ("text", "content"),
                    ("file_name", "filename"),
                    ("name", "filename"),
                ],
                needs_act_as: false,
            },
        }
    }
}

impl Input {
    fn read(arguments: Map<String, Value>, max_bytes: usize) -> Result<Self> {
        let mut given = Reader::new(arguments);
        let input = Self {
            memory_id: given.memory_id("memory_id")?,
            content: given.text("content", max_bytes)?,
            filename: given.filename("filename")?,
            description: given.text("description", MAX_DESCRIPTION_BYTES)?,
            tags: given.tags("tags")?,
        };
        given.finish()?;
        if input.content.as_ref().is_some_and(|text| text.trim().is_empty()) {
            return Err(Error::bad_input("`content` cannot be empty"));
        }
        if input.content.is_none()
            && input.filename.is_none()
            && input.description.is_none()
            && input.tags.is_none()
        {
            return Err(Error::bad_input(
                "give `content`, `filename`, `description` or `tags` to change",
            ));
        }
        Ok(input)
    }
}

#[async_trait]
impl Tool for UpdateMemory {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, context: Context, arguments: Map<String, Value>) -> Result<Answer> {
        let input = Input::read(arguments, context.max_memory_bytes)?;
        let patch = MemoryPatch {
            content: input.content,
            filename: input.filename,
            description: input.description,
            tags: input.tags,
        };
        let memory = context.store.update(&input.memory_id, patch).await?;
        let memory = memory.ok_or_else(|| Error::not_found("memory"))?;
        let message =
            format!("Successfully updated memory {} for user {}", memory.id, context.tenant);
        Answer::new(
            message.clone(),
            &Output {
                status: "success",
                message,
                user_id: context.tenant.as_str().to_owned(),
                size_bytes: memory.size(),
                memory_id: memory.id,
                filename: memory.filename,
                description: memory.description,
                tags: memory.tags,
                updated_at: memory.updated_at,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::tools::testing::{World, call};

    #[tokio::test]
    async fn changes_what_is_given_and_nothing_else() {
        let world = World::at("2024-07-15T14:30:52Z");
        let id = world.note("n.txt", "old", "about", "a,b").await;
        world.pass_days(1);
        let answer = call(
            &world,
            "update_memory",
            json!({"memory_id": id, "content": "new", "description": "", "tags": []}),
        )
        .await
        .unwrap();
        assert_eq!(answer.text, "Successfully updated memory 20240715_143052_n.txt for user alice");
        assert_eq!(answer.structured["updated_at"], "2024-07-16T14:30:52Z");
        let memory = world.store.all().remove(0);
        assert_eq!((memory.content.as_str(), memory.filename.as_str()), ("new", "n.txt"));
        assert!(memory.description.is_empty() && memory.tags.is_empty());
    }

    #[tokio::test]
    async fn refuses_an_empty_change() {
        let world = World::new();
        let id = world.note("n.txt", "old", "", "").await;
        for (arguments, words) in [
            (
                json!({ "memory_id": id }),
                "give `content`, `filename`, `description` or `tags` to change",
            ),
            (json!({"memory_id": id, "content": " "}), "`content` cannot be empty"),
            (json!({"content": "x"}), "`memory_id` is required"),
        ] {
            let error = call(&world, "update_memory", arguments).await.unwrap_err();
            assert_eq!(error.public(), words);
        }
        assert_eq!(world.store.all().remove(0).content, "old");
    }
}
