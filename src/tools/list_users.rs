//! `list_users`: the tenants a key may act for, with their counts.
//!
//! Listed only for keys that may see more than their own tenant; which those are stands in
//! [`Context::others`], filled by `mcp::dispatch` from the key alone (I1).

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Annotations, Answer, Context, Tool, ToolSpec, arguments::Reader, schema};
use crate::domain::{Result, action::Action, pack::Pack};

/// The tool.
#[derive(Debug)]
pub struct ListUsers {
    spec: ToolSpec,
}

#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Output {
    status: &'static str,
    /// This key's own user first.
    users: Vec<User>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct User {
    user_id: String,
    memories: u64,
}

impl Default for ListUsers {
    /// The tool with its schemas.
    fn default() -> Self {
        Self {
            spec: ToolSpec {
                name: "list_users",
                title: "List users",
                description: "Use this to see which users you may act for, with the number of \
                              memories of each.",
                pack: Pack::Memento,
                action: Action::UsageRead,
                annotations: Annotations::READS,
                input: schema::input::<Input>(),
                output: schema::output::<Output>(),
                aliases: &[],
                needs_act_as: true,
            },
        }
    }
}

#[async_trait]
impl Tool for ListUsers {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, context: Context, arguments: Map<String, Value>) -> Result<Answer> {
        Reader::new(arguments).finish()?;
        let own = (context.tenant, context.store);
        let mut users = Vec::with_capacity(context.others.len() + 1);
        for (tenant, store) in std::iter::once(own).chain(context.others) {
            let memories = store.usage().await?.memories;
            users.push(User { user_id: tenant.as_str().to_owned(), memories });
        }
        let lines: Vec<_> = users
            .iter()
            .map(|user| format!("- {} ({} memories)", user.user_id, user.memories))
            .collect();
        let text = format!("Users with stored memories:\n{}", lines.join("\n"));
        Answer::new(text, &Output { status: "success", users })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::tools::testing::{World, call};

    #[tokio::test]
    async fn lists_the_key_s_own_users_and_nobody_else() {
        let mut world = World::new();
        world.note("a.txt", "x", "", "").await;
        let alone = call(&world, "list_users", json!({})).await.unwrap();
        assert_eq!(alone.text, "Users with stored memories:\n- alice (1 memories)");

        world.may_act_for("bob");
        let answer = call(&world, "list_users", json!({})).await.unwrap();
        assert_eq!(
            answer.text,
            "Users with stored memories:\n- alice (1 memories)\n- bob (0 memories)"
        );
    }
}
