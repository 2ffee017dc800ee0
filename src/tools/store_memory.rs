//! `store_memory`: keep a text under a file name.

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Annotations, Answer, Context, Tool, ToolSpec,
    arguments::{MAX_DESCRIPTION_BYTES, Reader},
    fence, schema,
};
use crate::domain::{
    Result,
    action::Action,
    memory::{MemoryId, MemoryKind, NewMemory, Tag},
    pack::Pack,
};

/// The tool.
#[derive(Debug)]
pub struct StoreMemory {
    spec: ToolSpec,
}

#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    /// The text to keep.
    #[schemars(length(min = 1))]
    content: String,
    /// A file name such as `recipe.txt`; made from the time when left out.
    filename: Option<String>,
    /// One line about the text.
    description: Option<String>,
    /// Labels to find it by.
    #[schemars(with = "Option<Vec<String>>")]
    tags: Option<Vec<Tag>>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Output {
    status: &'static str,
    message: String,
    user_id: String,
    /// Use it with the other tools.
    #[schemars(with = "String")]
    memory_id: MemoryId,
    filename: String,
    #[schemars(with = "Vec<String>")]
    tags: Vec<Tag>,
    size_bytes: usize,
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
}

impl Default for StoreMemory {
    /// The tool with its schemas.
    fn default() -> Self {
        Self {
            spec: ToolSpec {
                name: "store_memory",
                title: "Store a memory",
                description: "Use this to keep a text (a note, a summary, a fact, a file) beyond \
                              this conversation. Give it a file name, a one-line description and \
                              tags, so that it can be found again. Returns the memory's id.",
                pack: Pack::Memento,
                action: Action::MemoryWrite,
                annotations: Annotations::ADDS,
                input: schema::input::<Input>(),
                output: schema::output::<Output>(),
                aliases: &[("text", "content"), ("file_name", "filename"), ("name", "filename")],
                needs_act_as: false,
            },
        }
    }
}

impl Input {
    fn read(arguments: Map<String, Value>, max_bytes: usize) -> Result<Self> {
        let mut given = Reader::new(arguments);
        let input = Self {
            content: given.some_text("content", max_bytes)?,
            filename: given.filename("filename")?,
            description: given.text_unless_blank("description", MAX_DESCRIPTION_BYTES)?,
            tags: given.tags("tags")?,
        };
        given.finish()?;
        Ok(input)
    }
}

#[async_trait]
impl Tool for StoreMemory {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, context: Context, arguments: Map<String, Value>) -> Result<Answer> {
        let input = Input::read(arguments, context.max_memory_bytes)?;
        let now = context.clock.now();
        let stored = context
            .store
            .put(NewMemory {
                kind: MemoryKind::Note,
                filename: input
                    .filename
                    .unwrap_or_else(|| now.strftime("memory_%Y%m%d_%H%M%S.txt").to_string()),
                description: input.description.unwrap_or_default(),
                content: input.content,
                response: None,
                tags: input.tags.unwrap_or_default(),
                author: context.author,
            })
            .await?;
        let message = format!(
            "Successfully stored '{}' for user {} as {}",
            fence::plain(&stored.filename),
            context.tenant,
            stored.id
        );
        Answer::new(
            message.clone(),
            &Output {
                status: "success",
                message,
                user_id: context.tenant.as_str().to_owned(),
                size_bytes: stored.size(),
                memory_id: stored.id,
                filename: stored.filename,
                tags: stored.tags,
                created_at: stored.created_at,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{
        domain::Kind,
        tools::testing::{World, call},
    };

    #[tokio::test]
    async fn stores_with_the_words_users_know() {
        let world = World::at("2024-07-15T14:30:52Z");
        let answer = call(
            &world,
            "store_memory",
            json!({"content": "flour", "filename": "recipe.txt", "tags": "food, cake"}),
        )
        .await
        .unwrap();
        assert_eq!(
            answer.text,
            "Successfully stored 'recipe.txt' for user alice as 20240715_143052_recipe.txt"
        );
        assert_eq!(answer.structured["memory_id"], "20240715_143052_recipe.txt");
        assert_eq!(answer.structured["tags"], json!(["food", "cake"]));
        let stored = world.store.all().remove(0);
        assert_eq!((stored.content.as_str(), stored.author), ("flour", World::author()));
    }

    #[tokio::test]
    async fn a_name_is_made_from_the_time() {
        let world = World::at("2024-07-15T14:30:52Z");
        let answer =
            call(&world, "store_memory", json!({"content": "x", "filename": ""})).await.unwrap();
        assert_eq!(answer.structured["filename"], "memory_20240715_143052.txt");
    }

    #[tokio::test]
    async fn refuses_what_is_no_text() {
        let world = World::new();
        for (arguments, words) in [
            (json!({}), "`content` is required"),
            (json!({"content": "  "}), "`content` cannot be empty"),
            (json!({"content": "a\0b"}), "`content` must not contain a NUL character"),
            (json!({"content": ["x"]}), "`content` must be text, not a list"),
        ] {
            let error = call(&world, "store_memory", arguments).await.unwrap_err();
            assert_eq!((error.kind(), error.public()), (Kind::BadInput, words));
        }
        let long = "x".repeat(world.max_memory_bytes + 1);
        let error = call(&world, "store_memory", json!({ "content": long })).await.unwrap_err();
        assert_eq!(error.kind(), Kind::TooLarge);
        assert!(world.store.all().is_empty());
    }
}
