//! What the unit tests of this room stand on: a store in memory, a world around it, and a
//! checker that holds every answer against the schema its tool announces.

mod agreement;
mod fits;
mod store;

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use serde_json::{Value, json};

pub(in crate::tools) use self::{fits::fits, store::MemoryStore};
use super::{Answer, Catalogue, Context, arguments};
use crate::{
    domain::{
        Result, client::ClientInfo, clock::ManualClock, key::KeyId, memory::Author,
        tenant::TenantLabel,
    },
    store::TenantStore,
};

/// Every tool, made once for all tests.
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::new);

/// One tenant, `alice`, with a store and a clock that stands still.
#[derive(Debug)]
pub(in crate::tools) struct World {
    pub(in crate::tools) store: Arc<MemoryStore>,
    pub(in crate::tools) clock: Arc<ManualClock>,
    pub(in crate::tools) max_memory_bytes: usize,
    others: Vec<(TenantLabel, Arc<dyn TenantStore>)>,
}

impl World {
    pub(in crate::tools) fn new() -> Self {
        Self::at("2026-01-02T03:04:05Z")
    }

    pub(in crate::tools) fn at(now: &str) -> Self {
        let clock = Arc::new(ManualClock::at(now.parse().unwrap()));
        Self {
            store: Arc::new(MemoryStore::new(Arc::clone(&clock))),
            clock,
            max_memory_bytes: 64 * 1024,
            others: Vec::new(),
        }
    }

    pub(in crate::tools) fn author() -> Author {
        Author {
            key: KeyId::parse("k00000000001").unwrap(),
            client: ClientInfo::new("claude-code", "2.1"),
        }
    }

    pub(in crate::tools) fn context(&self) -> Context {
        Context {
            store: Arc::clone(&self.store) as Arc<dyn TenantStore>,
            tenant: TenantLabel::parse("alice").unwrap(),
            others: self.others.clone(),
            author: Self::author(),
            clock: Arc::clone(&self.clock) as _,
            server_name: "memgate".into(),
            max_memory_bytes: self.max_memory_bytes,
        }
    }

    /// Lets the key act for another, empty tenant.
    pub(in crate::tools) fn may_act_for(&mut self, label: &str) {
        let store = Arc::new(MemoryStore::new(Arc::clone(&self.clock)));
        self.others.push((TenantLabel::parse(label).unwrap(), store));
    }

    pub(in crate::tools) fn pass_days(&self, days: u64) {
        self.clock.advance(Duration::from_secs(days * 24 * 60 * 60));
    }

    /// Stores a note through the tool and returns its id.
    pub(in crate::tools) async fn note(
        &self,
        name: &str,
        text: &str,
        about: &str,
        tags: &str,
    ) -> String {
        let arguments =
            json!({"content": text, "filename": name, "description": about, "tags": tags});
        let stored = call(self, "store_memory", arguments).await.unwrap();
        stored.structured["memory_id"].as_str().unwrap().to_owned()
    }
}

/// Calls a tool as `mcp::dispatch` does, and checks its answer against its schema.
pub(in crate::tools) async fn call(world: &World, tool: &str, given: Value) -> Result<Answer> {
    let Value::Object(given) = given else { panic!("arguments are an object") };
    let tool = CATALOGUE.get(tool).unwrap();
    let arguments = arguments::canonical(tool.spec(), given)?;
    let answer = tool.call(world.context(), arguments).await?;
    let schema = Value::Object((*tool.spec().output).clone());
    fits(&schema, &answer.structured).unwrap();
    Ok(answer)
}
