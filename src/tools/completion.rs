//! What could follow while somebody types an argument of a prompt or of a resource's URI.
//!
//! Everything offered comes from the caller's own open store (I1) or from our fixed lists.

use super::{period::Period, prompts, resources};
use crate::{
    domain::{
        Error, Result,
        memory::{MAX_ID_BYTES, Query},
    },
    store::TenantStore,
};

/// The most values in one answer; the protocol's limit.
pub const MAX_VALUES: usize = 100;

/// What is being filled in.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// An argument of a prompt.
    Prompt {
        /// The prompt's name.
        name: &'a str,
        /// The argument's name.
        argument: &'a str,
    },
    /// A variable of a resource template.
    Resource {
        /// The template.
        uri_template: &'a str,
        /// The variable's name.
        argument: &'a str,
    },
}

/// Values that begin with what was typed (for `tags`, with what follows the last comma).
///
/// # Errors
/// `NotFound` for a prompt or template that does not exist; the store's.
pub async fn complete(
    store: &dyn TenantStore,
    target: Target<'_>,
    typed: &str,
) -> Result<Vec<String>> {
    match target {
        Target::Prompt { name, argument } => {
            if prompts::find(name).is_none() {
                return Err(Error::not_found("prompt"));
            }
            match argument {
                "tag_filter" => tags(store, "", typed).await,
                "tags" => {
                    let (before, last) =
                        typed.rfind(',').map_or(("", typed), |comma| typed.split_at(comma + 1));
                    tags(store, before, last).await
                }
                "time_filter" => Ok(periods(typed)),
                _ => Ok(Vec::new()),
            }
        }
        Target::Resource { uri_template, argument } => {
            if uri_template != resources::MEMORY.uri_template {
                return Err(Error::not_found("resource template"));
            }
            if argument != resources::MEMORY.argument || typed.len() > MAX_ID_BYTES {
                return Ok(Vec::new());
            }
            ids(store, typed).await
        }
    }
}

async fn tags(store: &dyn TenantStore, before: &str, typed: &str) -> Result<Vec<String>> {
    let tags = store.tags(typed.trim_start(), MAX_VALUES).await?;
    Ok(tags.iter().map(|tag| format!("{before}{tag}")).collect())
}

fn periods(typed: &str) -> Vec<String> {
    let names = Period::NAMES.iter().map(|(name, _)| *name);
    names.filter(|name| name.starts_with(typed)).map(str::to_owned).collect()
}

/// Among the newest memories only: an id begins with its time, so who looks for an old one
/// searches, and does not type.
async fn ids(store: &dyn TenantStore, typed: &str) -> Result<Vec<String>> {
    let newest = store.search(Query::newest(MAX_VALUES)).await?;
    let ids = newest.hits.iter().map(|hit| hit.memory.id.as_str());
    Ok(ids.filter(|id| id.starts_with(typed)).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::Kind, tools::testing::World};

    const RECALL: &str = "retrieve_memory_prompt";

    async fn world() -> World {
        let world = World::at("2024-07-15T14:30:52Z");
        world.note("a.txt", "x", "", "work,Week").await;
        world.note("b.txt", "x", "", "work,food").await;
        world
    }

    async fn offered(target: Target<'_>, typed: &str) -> Vec<String> {
        complete(&*world().await.store, target, typed).await.unwrap()
    }

    #[tokio::test]
    async fn tags_come_from_the_tenant_s_own_store() {
        let filter = Target::Prompt { name: RECALL, argument: "tag_filter" };
        assert_eq!(offered(filter, "w").await, ["work", "Week"]);
        assert_eq!(offered(filter, "").await.len(), 3);
        assert!(offered(filter, "x").await.is_empty());
        let other = World::new();
        assert!(complete(&*other.store, filter, "").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_list_of_tags_is_completed_at_its_end() {
        let tags = Target::Prompt { name: "store_memory_prompt", argument: "tags" };
        assert_eq!(offered(tags, "food,wo").await, ["food,work"]);
    }

    #[tokio::test]
    async fn ids_and_times() {
        let id = Target::Resource { uri_template: "memory://{id}", argument: "id" };
        assert_eq!(offered(id, "20240715_143052_b").await, ["20240715_143052_b.txt"]);
        assert!(offered(id, &"2".repeat(201)).await.is_empty());
        let time = Target::Prompt { name: RECALL, argument: "time_filter" };
        assert_eq!(offered(time, "last").await, ["last_week", "last_month"]);
    }

    #[tokio::test]
    async fn what_does_not_exist_is_not_completed() {
        let world = world().await;
        for target in [
            Target::Prompt { name: "nope", argument: "tags" },
            Target::Resource { uri_template: "memory://{x}", argument: "x" },
        ] {
            let error = complete(&*world.store, target, "2").await.unwrap_err();
            assert_eq!(error.kind(), Kind::NotFound);
        }
        let unknown = Target::Prompt { name: RECALL, argument: "query" };
        assert!(complete(&*world.store, unknown, "").await.unwrap().is_empty());
    }
}
