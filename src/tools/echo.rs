//! `echo`: says what it was told, to try a connection.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Annotations, Answer, Context, Tool, ToolSpec, arguments::Reader, schema};
use crate::domain::{Error, Result, action::Action, pack::Pack};

/// The tool.
#[derive(Debug)]
pub struct Echo {
    spec: ToolSpec,
}

#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    /// Any text.
    message: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Output {
    message: String,
}

impl Default for Echo {
    /// The tool with its schemas.
    fn default() -> Self {
        Self {
            spec: ToolSpec {
                name: "echo",
                title: "Echo",
                description: "Use this to try the connection: it returns the message it is given.",
                pack: Pack::Demo,
                action: Action::DemoUse,
                annotations: Annotations::READS,
                input: schema::input::<Input>(),
                output: schema::output::<Output>(),
                aliases: &[("text", "message")],
                needs_act_as: false,
            },
        }
    }
}

impl Input {
    fn read(arguments: Map<String, Value>, max_bytes: usize) -> Result<Self> {
        let mut given = Reader::new(arguments);
        let message = given.text("message", max_bytes)?;
        given.finish()?;
        let message = message.ok_or_else(|| Error::bad_input("`message` is required"))?;
        Ok(Self { message })
    }
}

#[async_trait]
impl Tool for Echo {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, context: Context, arguments: Map<String, Value>) -> Result<Answer> {
        let input = Input::read(arguments, context.max_memory_bytes)?;
        Answer::new(input.message.clone(), &Output { message: input.message })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::tools::testing::{World, call};

    #[tokio::test]
    async fn says_what_it_was_told() {
        let answer = call(&World::new(), "echo", json!({"message": "héllo\n"})).await.unwrap();
        assert_eq!(answer.text, "héllo\n");
        assert_eq!(answer.structured, json!({"message": "héllo\n"}));
        assert!(call(&World::new(), "echo", json!({})).await.is_err());
    }
}
