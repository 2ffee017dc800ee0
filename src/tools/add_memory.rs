//! `add_memory`: keep an exchange, or a fact about the user or the assistant's own work.

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Annotations, Answer, Context, Tool, ToolSpec, arguments::Reader, schema};
use crate::domain::{
    Error, Kind, Result,
    action::Action,
    memory::{MemoryId, MemoryKind, NewMemory, Tag},
    pack::Pack,
};

/// What `MemoryOS` calls a memory's type.
pub const TYPES: [(&str, MemoryKind); 3] = [
    ("conversation", MemoryKind::Conversation),
    ("user_knowledge", MemoryKind::UserKnowledge),
    ("assistant_knowledge", MemoryKind::AssistantKnowledge),
];

/// The tool.
#[derive(Debug)]
pub struct AddMemory {
    spec: ToolSpec,
}

#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "`MemoryOS` calls it `user_input`")]
struct Input {
    /// What the user said, or the fact.
    #[schemars(length(min = 1))]
    user_input: String,
    /// What you answered; may be empty for a fact.
    agent_response: String,
    /// `conversation` when left out.
    #[schemars(with = "Option<String>", extend("enum" = TYPES.map(|(name, _)| name)))]
    memory_type: MemoryKind,
    /// Labels to find it by.
    #[schemars(with = "Option<Vec<String>>")]
    tags: Vec<Tag>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Output {
    status: &'static str,
    message: String,
    #[schemars(with = "String", extend("format" = "date-time"))]
    timestamp: Timestamp,
    details: Details,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Details {
    user_id: String,
    #[schemars(with = "String")]
    memory_type: MemoryKind,
    /// Use it with the other tools.
    #[schemars(with = "String")]
    memory_id: MemoryId,
}

impl Default for AddMemory {
    /// The tool with its schemas.
    fn default() -> Self {
        Self {
            spec: ToolSpec {
                name: "add_memory",
                title: "Add to memory",
                description: "Use this to keep an exchange with the user, or a fact worth knowing \
                              later: `user_knowledge` about the user, `assistant_knowledge` about \
                              your own work.",
                pack: Pack::Memoryos,
                action: Action::MemoryWrite,
                annotations: Annotations::ADDS,
                input: schema::input::<Input>(),
                output: schema::output::<Output>(),
                aliases: &[("type", "memory_type")],
                needs_act_as: false,
            },
        }
    }
}

impl Input {
    fn read(arguments: Map<String, Value>, max_bytes: usize) -> Result<Self> {
        let mut given = Reader::new(arguments);
        let user_input = given.some_text("user_input", max_bytes)?;
        let agent_response = given.text("agent_response", max_bytes)?;
        let memory_type = given.choice("memory_type", &TYPES)?.unwrap_or(MemoryKind::Conversation);
        let tags = given.tags("tags")?.unwrap_or_default();
        given.finish()?;

        let Some(agent_response) = agent_response else {
            return Err(Error::bad_input("`agent_response` is required"));
        };
        if agent_response.trim().is_empty() && memory_type == MemoryKind::Conversation {
            return Err(Error::bad_input("`agent_response` cannot be empty in a conversation"));
        }
        let size = user_input.len() + agent_response.len();
        if size > max_bytes {
            return Err(Error::new(
                Kind::TooLarge,
                format!(
                    "`user_input` and `agent_response` are {size} bytes long together; at most \
                     {max_bytes} are allowed"
                ),
            ));
        }
        Ok(Self { user_input, agent_response, memory_type, tags })
    }
}

#[async_trait]
impl Tool for AddMemory {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, context: Context, arguments: Map<String, Value>) -> Result<Answer> {
        let input = Input::read(arguments, context.max_memory_bytes)?;
        let stored = context
            .store
            .put(NewMemory {
                kind: input.memory_type,
                filename: format!("{}.txt", input.memory_type),
                description: String::new(),
                content: input.user_input,
                response: Some(input.agent_response).filter(|text| !text.trim().is_empty()),
                tags: input.tags,
                author: context.author,
            })
            .await?;
        let message = format!(
            "Successfully added {} for user {} as {}",
            stored.kind, context.tenant, stored.id
        );
        Answer::new(
            message.clone(),
            &Output {
                status: "success",
                message,
                timestamp: stored.created_at,
                details: Details {
                    user_id: context.tenant.as_str().to_owned(),
                    memory_type: stored.kind,
                    memory_id: stored.id,
                },
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{
        domain::{Kind, memory::MemoryKind},
        tools::testing::{World, call},
    };

    #[tokio::test]
    async fn adds_conversations_and_facts() {
        let world = World::at("2024-07-15T14:30:52Z");
        let answer = call(
            &world,
            "add_memory",
            json!({"user_input": "hi", "agent_response": "ho", "tags": ["a"]}),
        )
        .await
        .unwrap();
        assert_eq!(
            answer.structured,
            json!({
                "status": "success",
                "message": "Successfully added conversation for user alice as \
                            20240715_143052_conversation.txt",
                "timestamp": "2024-07-15T14:30:52Z",
                "details": {
                    "user_id": "alice",
                    "memory_type": "conversation",
                    "memory_id": "20240715_143052_conversation.txt",
                },
            })
        );
        let fact = json!({
            "user_input": "likes tea", "agent_response": "", "memory_type": "user_knowledge"
        });
        call(&world, "add_memory", fact).await.unwrap();
        let all = world.store.all();
        assert_eq!(all[0].response.as_deref(), Some("ho"));
        assert_eq!((all[1].kind, all[1].response.as_deref()), (MemoryKind::UserKnowledge, None));
    }

    #[tokio::test]
    async fn refuses_what_is_no_exchange() {
        let world = World::new();
        let half = "x".repeat(world.max_memory_bytes / 2 + 1);
        for (arguments, kind, words) in [
            (json!({}), Kind::BadInput, "`user_input` is required"),
            (
                json!({"user_input": "", "agent_response": ""}),
                Kind::BadInput,
                "`user_input` cannot be empty",
            ),
            (json!({"user_input": "x"}), Kind::BadInput, "`agent_response` is required"),
            (
                json!({"user_input": "x", "agent_response": " "}),
                Kind::BadInput,
                "`agent_response` cannot be empty in a conversation",
            ),
            (
                json!({"user_input": "x", "agent_response": "y", "memory_type": "system_prompt"}),
                Kind::BadInput,
                "`memory_type` must be one of conversation, user_knowledge, assistant_knowledge",
            ),
            (
                json!({"user_input": "a\0b", "agent_response": "y"}),
                Kind::BadInput,
                "`user_input` must not contain a NUL character",
            ),
            (
                json!({"user_input": "x", "agent_response": "y", "__proto__": {"admin": true}}),
                Kind::BadInput,
                "there is no argument `__proto__`; `add_memory` takes `user_input`, \
                 `agent_response`, `memory_type`, `tags`",
            ),
            (
                json!({"user_input": half, "agent_response": half}),
                Kind::TooLarge,
                "`user_input` and `agent_response` are 65538 bytes long together; at most 65536 \
                 are allowed",
            ),
        ] {
            let error = call(&world, "add_memory", arguments).await.unwrap_err();
            assert_eq!((error.kind(), error.public()), (kind, words));
        }
        assert!(world.store.all().is_empty());
    }
}
