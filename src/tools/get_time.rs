//! `get_time`: the server's clock.

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Annotations, Answer, Context, Tool, ToolSpec, arguments::Reader, schema};
use crate::domain::{Result, action::Action, pack::Pack};

/// The tool.
#[derive(Debug)]
pub struct GetTime {
    spec: ToolSpec,
}

#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Output {
    /// In UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    time: Timestamp,
    unix_seconds: i64,
}

impl Default for GetTime {
    /// The tool with its schemas.
    fn default() -> Self {
        Self {
            spec: ToolSpec {
                name: "get_time",
                title: "Server time",
                description: "Use this to learn the server's current time, in UTC.",
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
impl Tool for GetTime {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, context: Context, arguments: Map<String, Value>) -> Result<Answer> {
        Reader::new(arguments).finish()?;
        let time = context.clock.now();
        Answer::new(time.to_string(), &Output { time, unix_seconds: time.as_second() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::tools::testing::{World, call};

    #[tokio::test]
    async fn tells_the_clock_s_time() {
        let world = World::at("2024-07-15T14:30:52Z");
        let answer = call(&world, "get_time", json!({})).await.unwrap();
        assert_eq!(answer.text, "2024-07-15T14:30:52Z");
        assert_eq!(answer.structured["unix_seconds"], 1_721_053_852);
    }
}
