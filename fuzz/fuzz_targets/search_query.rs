//! A search text, all the way into SQLite: it is words, never syntax. It finds something, or
//! nothing, or has no words; it never reaches the index as an error.
#![no_main]

#[path = "../../benches/rooms/deployment.rs"]
#[expect(dead_code, reason = "the benchmarks use all of it")]
mod deployment;

use std::sync::{Arc, LazyLock};

use deployment::Deployment;
use libfuzzer_sys::fuzz_target;
use memgate::{
    domain::{Kind, action::Action, memory::Query},
    store::TenantStore,
};
use tokio::runtime::Runtime;

struct World {
    runtime: Runtime,
    store: Arc<dyn TenantStore>,
    _deployment: Deployment,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("a runtime");
    let (deployment, store) = runtime.block_on(async {
        let (deployment, _) = Deployment::new().await;
        let store = deployment.store(Action::MemoryWrite).await;
        for text in ["content tags alpha", "NEAR AND OR NOT", "naïve Ĳsland K", "1 OR 1=1"] {
            store.put(deployment.note("a.txt", text)).await.expect("stored");
        }
        (deployment, store)
    });
    World { runtime, store, _deployment: deployment }
});

fuzz_target!(|text: &str| {
    let query = Query { text: Some(text.to_owned()), ..Query::newest(3) };
    match WORLD.runtime.block_on(WORLD.store.search(query)) {
        Ok(found) => assert!(found.hits.iter().all(|hit| hit.score.is_finite())),
        // No words in it, or (on a busy machine) no time for it.
        Err(error) => assert!(matches!(error.kind(), Kind::BadInput | Kind::Timeout), "{error}"),
    }
});
