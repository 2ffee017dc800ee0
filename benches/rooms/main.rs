//! The rooms on the hot path, one at a time: `cargo bench --bench rooms`.
//!
//! What a call costs is the sum of these and of the protocol; `--bench gateway` measures the
//! whole. A filter runs some of them: `cargo bench --bench rooms search`.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run stops")]
#![expect(unreachable_pub, reason = "the modules of one program")]

mod deployment;
#[expect(dead_code, reason = "the tests of units use the rest")]
#[path = "../../src/auth/token/testing.rs"]
mod issuer;

use std::{
    fs,
    sync::{Arc, LazyLock},
};

use deployment::Deployment;
use divan::{Bencher, black_box};
use futures::{StreamExt as _, stream};
use http::request::Parts;
use memgate::{
    config::{form::url::Url, issuer::Issuer},
    domain::{
        action::Action,
        clock::{Clock as _, SystemClock},
        key::PresentedKey,
        memory::Query,
        random::OsEntropy,
    },
    mcp::preparse,
    store::TenantStore,
    tools::{Catalogue, arguments},
};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

/// A deployment, a request with its key, and the runtime they live on.
struct World {
    runtime: Runtime,
    deployment: Deployment,
    request: Parts,
}

/// Made once: the rooms below share it, because making a key takes a whole argon2.
static WORLD: LazyLock<World> = LazyLock::new(World::new);

/// The same for a token of an issuer.
static BEARER: LazyLock<World> = LazyLock::new(World::bearer);

impl World {
    fn bearer() -> Self {
        let runtime = Runtime::new().unwrap();
        let (deployment, request) = runtime.block_on(Deployment::with(|settings, directory| {
            let (signer, file) = (issuer::Signer::es256("one"), directory.join("keys.json"));
            fs::write(&file, issuer::set(&[signer.jwk()]).to_string()).unwrap();
            let (name, resource) = ("https://id.example", "https://memory.example/mcp");
            settings.auth.resource = Url::parse(resource);
            settings.auth.issuers = vec![Issuer {
                issuer: name.to_owned(),
                jwks_file: Some(file),
                create_tenants: true,
                ..Issuer::default()
            }];
            let now = SystemClock::new().now().as_second();
            Some(signer.token(&json!({
                "iss": name, "aud": resource, "sub": "user-1", "tenant": "acme",
                "exp": now + 3_600, "iat": now, "scope": "memgate:read memgate:write",
            })))
        }));
        Self { runtime, deployment, request }
    }

    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let (deployment, request) = runtime.block_on(Deployment::new());
        Self { runtime, deployment, request }
    }

    fn store(&self) -> Arc<dyn TenantStore> {
        self.runtime.block_on(self.deployment.store(Action::MemoryWrite))
    }
}

fn main() {
    divan::main();
}

/// A key's shape and checksum.
#[divan::bench]
fn key_parse(bencher: Bencher<'_, '_>) {
    let key = PresentedKey::random(&OsEntropy).reveal();
    bencher.bench(|| PresentedKey::parse(black_box(key.expose())).unwrap());
}

/// A credential that was verified before, from the request's headers to the principal.
#[divan::bench]
fn cached_key(bencher: Bencher<'_, '_>) {
    let World { runtime, deployment, request } = &*WORLD;
    bencher.bench(|| runtime.block_on(deployment.authenticate(black_box(request))));
}

/// A token that was verified before, in the same way.
#[divan::bench]
fn remembered_token(bencher: Bencher<'_, '_>) {
    let World { runtime, deployment, request } = &*BEARER;
    bencher.bench(|| runtime.block_on(deployment.authenticate(black_box(request))));
}

/// A record with two arguments, for the one who asks for it. What the writer then does is in the
/// CPU time that `a_record_is_cheap` prints.
#[divan::bench]
fn audit_record(bencher: Bencher<'_, '_>) {
    let arguments = json!({"content": "a note of some forty characters, or so", "tags": ["a"]});
    let Value::Object(arguments) = arguments else { return };
    bencher.bench(|| WORLD.deployment.record(black_box(&arguments)));
}

/// A principal and an action to a permit.
#[divan::bench]
fn policy_decision(bencher: Bencher<'_, '_>) {
    bencher.bench(|| WORLD.deployment.permit(black_box(Action::MemoryRead)));
}

/// The strict look at a body, by its size.
#[divan::bench(args = [100, 1_000, 100_000])]
fn preparse_body(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "store_memory", "arguments": {"content": "x".repeat(bytes)}},
    })
    .to_string();
    bencher.bench(|| preparse::read(black_box(body.as_bytes())).unwrap());
}

/// Argument names of a call, canonical and not.
#[divan::bench(args = ["query", "q"])]
fn argument_names(bencher: Bencher<'_, '_>, name: &str) {
    let catalogue = Catalogue::new();
    let spec = catalogue.get("retrieve_memories").unwrap().spec();
    let given = Map::from_iter([(name.to_owned(), Value::from("bicycle"))]);
    bencher
        .with_inputs(|| given.clone())
        .bench_values(|given| arguments::canonical(spec, given).unwrap());
}

/// One acknowledged write, alone: it waits for the disk.
#[divan::bench]
fn store_write(bencher: Bencher<'_, '_>) {
    let world = World::new();
    let store = world.store();
    let text = "Meeting about the quarterly plan: marmalade, rollout dates, bicycles.";
    bencher
        .with_inputs(|| world.deployment.note("plan.txt", text))
        .bench_values(|note| world.runtime.block_on(store.put(note)).unwrap());
}

/// Sixty-four writes that arrive together and share what they wait for.
#[divan::bench]
fn store_64_writes_together(bencher: Bencher<'_, '_>) {
    let world = World::new();
    let store = world.store();
    bencher.with_inputs(|| (0..64).map(|n| world.deployment.note("n.txt", &text(n)))).bench_values(
        |notes| {
            let writes = futures::future::join_all(notes.map(|note| store.put(note)));
            world.runtime.block_on(writes)
        },
    );
}

/// A rare word and two common ones, among so many memories.
#[divan::bench(args = [1_000, 100_000], sample_count = 50)]
fn search(bencher: Bencher<'_, '_>, memories: usize) {
    let (world, store) = filled(memories);
    let query = || Query { text: Some("bicycle 777".to_owned()), ..Query::newest(10) };
    bencher.bench(|| {
        let found = world.runtime.block_on(store.search(query())).unwrap();
        assert!(found.hits.len() == 10 && found.hits[0].memory.content.contains("777"));
    });
}

/// The newest ten, among so many memories.
#[divan::bench(args = [1_000, 100_000], sample_count = 50)]
fn newest(bencher: Bencher<'_, '_>, memories: usize) {
    let (world, store) = filled(memories);
    bencher.bench(|| world.runtime.block_on(store.search(Query::newest(10))).unwrap());
}

/// A world whose tenant has `memories` notes.
fn filled(memories: usize) -> (World, Arc<dyn TenantStore>) {
    let world = World::new();
    let store = world.store();
    let writes = stream::iter(0..memories)
        .map(|n| store.put(world.deployment.note("n.txt", &text(n))))
        .buffer_unordered(512)
        .for_each(|stored| async { drop(stored.unwrap()) });
    world.runtime.block_on(writes);
    (world, store)
}

/// Note number `n`: some words that all have, some that every tenth has, one of its own.
fn text(n: usize) -> String {
    const COLOURS: [&str; 10] =
        ["red", "green", "blue", "yellow", "black", "white", "orange", "purple", "brown", "grey"];
    let colour = COLOURS[n % COLOURS.len()];
    format!("Meeting {n} about the quarterly plan: marmalade, rollout, and the {colour} bicycle.")
}
