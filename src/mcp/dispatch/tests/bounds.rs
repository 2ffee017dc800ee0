//! A bounded key against the unbounded key of the same tenant, whatever is asked.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::{
    action::Access,
    bounds::Bounds,
    memory::Tag,
    reach::Tags,
    tool::{ToolName, Tools},
};

/// What lies in the tenant's store: content and tags.
const MEMORIES: [(&str, &str); 6] = [
    ("the red bus", "work"),
    ("a red works", "Work,home"),
    ("blue bus", "home"),
    ("red and blue", "team"),
    ("a bus without a tag", ""),
    ("red again", "team,private"),
];
const TAGS: [&str; 5] = ["work", "HOME", "team", "private", "none"];

fn bounds() -> impl Strategy<Value = Bounds> {
    let tools = proptest::option::of(proptest::sample::subsequence(ToolName::ALL.to_vec(), 1..8));
    let tags = proptest::option::of(proptest::sample::subsequence(TAGS.to_vec(), 1..3));
    (tools, any::<bool>(), tags).prop_map(|(tools, reads, tags)| Bounds {
        tools: tools.map(|tools| Tools::of(tools).unwrap()),
        access: if reads { Access::Read } else { Access::Write },
        tags: tags.map(|tags| {
            Tags::of(tags.into_iter().map(|tag| Tag::parse(tag).unwrap()).collect()).unwrap()
        }),
        ..Bounds::default()
    })
}

/// Every way to ask for memories.
fn questions(ids: &[String]) -> Vec<(&'static str, Value)> {
    let mut all = vec![
        ("retrieve_memories", json!({"limit": 50})),
        ("retrieve_memories", json!({"limit": 50, "query": "red bus"})),
        ("retrieve_memories", json!({"limit": 50, "tag_filter": "home"})),
        ("retrieve_memory", json!({"query": "red", "max_results": 50})),
        ("get_user_profile", json!({"include_knowledge": true})),
        ("get_user_stats", json!({})),
        ("health_check", json!({})),
        ("echo", json!({"message": "x"})),
    ];
    all.extend(ids.iter().map(|id| ("get_memory_content", json!({"memory_id": id}))));
    all
}

/// What an answer tells: which of the memories, and how many of them.
fn told(answer: &Answer, ids: &[String]) -> (BTreeSet<usize>, u64) {
    let text = format!("{} {}", answer.text, answer.structured);
    let named = (0..ids.len()).filter(|n| text.contains(&ids[*n])).collect();
    (named, answer.structured["total_memories"].as_u64().unwrap_or(0))
}

struct Scene {
    world: World,
    dispatch: Dispatch,
    ids: Vec<String>,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new();
        let dispatch = dispatch(&world, Duration::from_mins(1));
        let mut scene = Self { world, dispatch, ids: Vec::new() };
        let owner = visit(&scene.principal(Bounds::default()).await);
        for (content, tags) in MEMORIES {
            let arguments = json!({"content": content, "tags": tags});
            let stored = scene.call(&owner, "store_memory", arguments).await.unwrap().unwrap();
            scene.ids.push(stored.structured["memory_id"].as_str().unwrap().to_owned());
        }
        scene
    }

    /// A key of the tenant with every pack.
    async fn principal(&self, bounds: Bounds) -> Principal {
        let mut new = self.world.agent_key("alice");
        new.packs = Some(crate::domain::pack::Pack::ALL.into_iter().collect());
        new.bounds = bounds;
        // A tool for those who act for others would only be refused when the key is made.
        new.act_as = vec![self.world.tenant("bob").label];
        self.world.principal(new).await
    }

    async fn call(&self, who: &Visit, tool: &str, arguments: Value) -> Option<Result<Answer>> {
        let Value::Object(arguments) = arguments else { panic!("an object") };
        self.dispatch.call(who, tool, arguments).await
    }
}

/// INVARIANT I3: bounds only narrow. INVARIANT I4: what is out of reach is an unknown thing.
#[test]
fn i3_a_bounded_key_never_gets_an_answer_that_the_unbounded_one_would_not_get() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let scene = runtime.block_on(Scene::new());
    let whole = runtime.block_on(scene.principal(Bounds::default()));
    let config = ProptestConfig { cases: 12, max_shrink_iters: 32, ..ProptestConfig::default() };
    proptest!(config, |(bounds in bounds())| {
        // A tool that writes and the access `read` are refused together when the key is made.
        let tools = bounds.tools.into_iter().flat_map(Tools::iter);
        let reads = bounds.access == Access::Read;
        prop_assume!(tools.into_iter().all(|t| !reads || t.action().access() == Access::Read));
        runtime.block_on(async {
            let part = visit(&scene.principal(bounds.clone()).await);
            let whole = visit(&whole);
            let reach = bounds.reach();
            let is_ours = |n: &usize| {
                let tags = MEMORIES[*n].1.split(',').filter_map(|tag| Tag::parse(tag).ok());
                reach.holds(&tags.collect::<Vec<_>>())
            };
            let count = (0..MEMORIES.len()).filter(is_ours).count() as u64;
            for (tool, arguments) in questions(&scene.ids) {
                let mine = scene.call(&part, tool, arguments.clone()).await;
                let theirs = scene.call(&whole, tool, arguments).await.unwrap();
                let name = ToolName::find(tool).unwrap();
                prop_assert_eq!(mine.is_some(), bounds.permit(name.action(), Some(name)));
                let Some(Ok(mine)) = mine else { continue };
                let (named, counted) = told(&mine, &scene.ids);
                let (all, most) = told(&theirs.unwrap(), &scene.ids);
                prop_assert!(named.is_subset(&all), "{}: {:?} of {:?}", tool, named, all);
                prop_assert!(named.iter().all(is_ours), "{}: {:?}", tool, named);
                prop_assert_eq!(all.iter().filter(|n| is_ours(n)).count(), named.len());
                prop_assert!(counted <= most && (tool != "get_user_stats" || counted == count));
            }
            for (n, id) in scene.ids.iter().enumerate().filter(|(n, _)| !is_ours(n)) {
                for (tool, arguments) in [
                    ("update_memory", json!({"memory_id": id, "content": "mine now"})),
                    ("delete_memory", json!({"memory_id": id})),
                ] {
                    match scene.call(&part, tool, arguments).await {
                        None => {}
                        Some(answer) => {
                            let kind = answer.map(drop).map_err(|error| error.kind());
                            prop_assert_eq!(kind, Err(Kind::NotFound), "{} {}", tool, n);
                        }
                    }
                }
                let read = scene.call(&whole, "get_memory_content", json!({"memory_id": id}));
                let read = read.await.unwrap().unwrap();
                prop_assert!(read.text.contains(MEMORIES[n].0), "untouched");
            }
            Ok(())
        })?;
    });
}
