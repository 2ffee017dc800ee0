//! `health_check`: does the whole way answer, from the key to the caller's own store?

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Annotations, Answer, Context, Tool, ToolSpec, arguments::Reader, schema};
use crate::domain::{Result, action::Action, pack::Pack};

/// The tool.
#[derive(Debug)]
pub struct HealthCheck {
    spec: ToolSpec,
}

#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Output {
    status: &'static str,
    server: String,
    version: &'static str,
    #[schemars(with = "String", extend("format" = "date-time"))]
    timestamp: Timestamp,
}

impl Default for HealthCheck {
    /// The tool with its schemas.
    fn default() -> Self {
        Self {
            spec: ToolSpec {
                name: "health_check",
                title: "Health check",
                description: "Use this to see whether the server and your memory store answer.",
                pack: Pack::Demo,
                action: Action::DemoUse,
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
impl Tool for HealthCheck {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, context: Context, arguments: Map<String, Value>) -> Result<Answer> {
        Reader::new(arguments).finish()?;
        // Healthy means that a question to the store comes back; otherwise its error does.
        context.store.usage().await?;
        let output = Output {
            status: "healthy",
            server: context.server_name.to_string(),
            version: env!("CARGO_PKG_VERSION"),
            timestamp: context.clock.now(),
        };
        Answer::new(format!("{} {} is healthy", output.server, output.version), &output)
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
    async fn is_healthy_when_the_store_answers() {
        let world = World::new();
        let answer = call(&world, "health_check", json!({})).await.unwrap();
        assert_eq!(answer.structured["status"], "healthy");
        world.store.break_down();
        let error = call(&world, "health_check", json!({})).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
    }
}
