//! The arguments of every tool: any JSON object ends in an answer or in a refusal that names
//! what is wrong, never in a panic or an internal error.
#![no_main]

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use libfuzzer_sys::fuzz_target;
use memgate::{
    domain::{
        Kind, Result,
        client::ClientInfo,
        clock::SystemClock,
        key::KeyId,
        memory::{Author, Hits, Memory, MemoryId, MemoryPatch, NewMemory, Query, Tag, Usage},
        tenant::TenantLabel,
    },
    store::TenantStore,
    tools::{Catalogue, Context, Tool, arguments},
};
use serde_json::{Map, Value};
use tokio::runtime::{Builder, Runtime};

static TOOLS: LazyLock<Vec<Arc<dyn Tool>>> =
    LazyLock::new(|| Catalogue::new().iter().map(Arc::clone).collect());
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime"));

/// A store that takes everything and has nothing.
#[derive(Debug)]
struct Nothing;

#[async_trait]
impl TenantStore for Nothing {
    async fn put(&self, new: NewMemory) -> Result<Memory> {
        assert!(!new.content.trim().is_empty() && !new.content.contains('\0'));
        let now = "2026-01-02T03:04:05Z".parse().expect("a time");
        Ok(Memory {
            id: MemoryId::parse("20260102_030405_x.txt").expect("an id"),
            kind: new.kind,
            filename: new.filename,
            description: new.description,
            content: new.content,
            response: new.response,
            tags: new.tags,
            created_at: now,
            updated_at: now,
            author: new.author,
        })
    }

    async fn get(&self, _: &MemoryId) -> Result<Option<Memory>> {
        Ok(None)
    }

    async fn update(&self, _: &MemoryId, _: MemoryPatch) -> Result<Option<Memory>> {
        Ok(None)
    }

    async fn delete(&self, _: &MemoryId) -> Result<Option<Memory>> {
        Ok(None)
    }

    async fn search(&self, query: Query) -> Result<Hits> {
        assert!((1..=100).contains(&query.limit));
        Ok(Hits { hits: Vec::new(), more: false })
    }

    async fn usage(&self) -> Result<Usage> {
        Ok(Usage::default())
    }

    async fn tags(&self, _: &str, _: usize) -> Result<Vec<Tag>> {
        Ok(Vec::new())
    }
}

fn context() -> Context {
    Context {
        store: Arc::new(Nothing),
        tenant: TenantLabel::parse("acme").expect("a label"),
        others: Vec::new(),
        author: Author {
            key: KeyId::parse("k00000000001").expect("an id"),
            client: ClientInfo::default(),
        },
        clock: Arc::new(SystemClock::new()),
        server_name: "memgate".into(),
        max_memory_bytes: 64,
    }
}

// The first byte chooses the tool, the rest is its arguments.
fuzz_target!(|bytes: &[u8]| {
    let Some((choice, json)) = bytes.split_first() else { return };
    let Some(tool) = TOOLS.get(usize::from(*choice) % TOOLS.len()) else { return };
    let Ok(given) = serde_json::from_slice::<Map<String, Value>>(json) else { return };
    let answer = arguments::canonical(tool.spec(), given)
        .and_then(|arguments| RUNTIME.block_on(tool.call(context(), arguments)));
    if let Err(error) = answer {
        assert!(
            matches!(error.kind(), Kind::BadInput | Kind::NotFound | Kind::TooLarge),
            "{error:?}"
        );
        assert!(error.public().len() < 400, "{}", error.public());
    }
});
