//! `get_user_stats`: how much is stored, under which tags, since when.

use std::fmt::Write;

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Annotations, Answer, Context, Tool, ToolSpec, arguments::Reader, entry, fence, schema,
};
use crate::domain::{Result, action::Action, memory::Usage, pack::Pack, tenant::TenantLabel};

/// The tool.
#[derive(Debug)]
pub struct GetUserStats {
    spec: ToolSpec,
}

#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Output {
    status: &'static str,
    user_id: String,
    total_memories: u64,
    total_size_bytes: u64,
    unique_tags: usize,
    /// In alphabetical order.
    tags: Vec<TagCount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    oldest_memory: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    newest_memory: Option<Timestamp>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct TagCount {
    tag: String,
    memories: u64,
}

impl Default for GetUserStats {
    /// The tool with its schemas.
    fn default() -> Self {
        Self {
            spec: ToolSpec {
                name: "get_user_stats",
                title: "Memory statistics",
                description: "Use this to see how much is stored: the number and size of the \
                              memories, the tags in use, the oldest and the newest.",
                pack: Pack::Memento,
                action: Action::UsageRead,
                annotations: Annotations::READS,
                input: schema::input::<Input>(),
                output: schema::output::<Output>(),
                aliases: &[],
                needs_act_as: false,
            },
        }
    }
}

#[async_trait]
impl Tool for GetUserStats {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, context: Context, arguments: Map<String, Value>) -> Result<Answer> {
        Reader::new(arguments).finish()?;
        let usage = context.store.usage().await?;
        Answer::new(
            show(&context.tenant, &usage),
            &Output {
                status: "success",
                user_id: context.tenant.as_str().to_owned(),
                total_memories: usage.memories,
                total_size_bytes: usage.bytes,
                unique_tags: usage.tags.len(),
                tags: usage
                    .tags
                    .into_iter()
                    .map(|(tag, memories)| TagCount { tag, memories })
                    .collect(),
                oldest_memory: usage.oldest,
                newest_memory: usage.newest,
            },
        )
    }
}

fn show(tenant: &TenantLabel, usage: &Usage) -> String {
    if usage.memories == 0 {
        return format!("No memories found for user {tenant}");
    }
    let mut text = format!("Memory statistics for user {tenant}:");
    // Writing to a `String` cannot fail.
    let _ = write!(text, "\n- Total memories: {}", usage.memories);
    let _ = write!(text, "\n- Total size: {} bytes", usage.bytes);
    let _ = write!(text, "\n- Unique tags: {}", usage.tags.len());
    if !usage.tags.is_empty() {
        let tags: Vec<_> = usage.tags.iter().map(|(tag, _)| fence::plain(tag)).collect();
        let _ = write!(text, "\n- Available tags: {}", tags.join(", "));
    }
    if let (Some(oldest), Some(newest)) = (usage.oldest, usage.newest) {
        let _ = write!(text, "\n- Oldest memory: {}", entry::time(oldest));
        let _ = write!(text, "\n- Newest memory: {}", entry::time(newest));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::tools::testing::{World, call};

    #[tokio::test]
    async fn counts_with_the_words_users_know() {
        let world = World::at("2024-07-15T14:30:52Z");
        let empty = call(&world, "get_user_stats", json!({})).await.unwrap();
        assert_eq!(empty.text, "No memories found for user alice");
        assert_eq!(empty.structured["total_memories"], 0);

        world.note("a.txt", "12345", "", "work,food").await;
        world.pass_days(2);
        world.note("b.txt", "123", "", "work").await;
        let answer = call(&world, "get_user_stats", json!({})).await.unwrap();
        insta::assert_snapshot!(answer.text, @r"
        Memory statistics for user alice:
        - Total memories: 2
        - Total size: 8 bytes
        - Unique tags: 2
        - Available tags: food, work
        - Oldest memory: 2024-07-15 14:30:52 UTC
        - Newest memory: 2024-07-17 14:30:52 UTC
        ");
        let tags = json!([{"tag": "food", "memories": 1}, {"tag": "work", "memories": 2}]);
        assert_eq!(answer.structured["tags"], tags);
    }
}
