//! What is written: names, changes, limits, and writers that meet.

use std::{sync::Arc, time::Duration};

use super::{Fresh, MAX_BYTES, found, note, start, tag, text};
use crate::domain::{
    Kind,
    memory::{MAX_TAGS, Memory, MemoryId, MemoryKind, MemoryPatch, NewMemory, Query},
};

fn id(text: &str) -> MemoryId {
    MemoryId::parse(text).unwrap()
}

pub(in crate::store) async fn what_is_put_is_found(fresh: Fresh) {
    let new = NewMemory {
        kind: MemoryKind::Conversation,
        description: "about soup — süß".to_owned(),
        response: Some("with salt".to_owned()),
        tags: vec![tag("Food"), tag("b c")],
        ..note("recipe.txt", "how to cook\r\nsoup? 🍲")
    };
    let stored = fresh.store.put(new).await.unwrap();
    assert_eq!(stored.id.as_str(), "20240715_143052_recipe.txt");
    assert_eq!(stored.created_at, start());
    assert_eq!(stored.updated_at, start());
    assert_eq!(stored.author.client.name, "tester");
    assert_eq!(fresh.store.get(&stored.id).await.unwrap().unwrap(), stored);
}

pub(in crate::store) async fn two_in_one_second_have_two_names(fresh: Fresh) {
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(fresh.store.put(note("a.md", "x")).await.unwrap().id);
        fresh.clock.advance(Duration::from_millis(100));
    }
    let names: Vec<&str> = ids.iter().map(MemoryId::as_str).collect();
    assert_eq!(names, ["20240715_143052_a.md", "20240715_143052_a_2.md", "20240715_143052_a_3.md"]);
}

pub(in crate::store) async fn an_unknown_id_is_nothing(fresh: Fresh) {
    let unknown = id("20240715_143052_a.md");
    assert!(fresh.store.get(&unknown).await.unwrap().is_none());
    assert!(fresh.store.delete(&unknown).await.unwrap().is_none());
    assert!(fresh.store.update(&unknown, MemoryPatch::default()).await.unwrap().is_none());
}

pub(in crate::store) async fn a_patch_changes_what_it_names(fresh: Fresh) {
    let new = NewMemory { tags: vec![tag("old")], ..note("a.md", "first words") };
    let stored = fresh.store.put(new).await.unwrap();
    fresh.clock.advance(Duration::from_mins(1));
    let patch = MemoryPatch {
        content: Some("second thoughts".to_owned()),
        tags: Some(vec![tag("new")]),
        ..MemoryPatch::default()
    };
    let changed = fresh.store.update(&stored.id, patch).await.unwrap().unwrap();
    let expected = Memory {
        content: "second thoughts".to_owned(),
        tags: vec![tag("new")],
        updated_at: start() + Duration::from_mins(1),
        ..stored.clone()
    };
    assert_eq!(changed, expected);
    assert_eq!(fresh.store.get(&stored.id).await.unwrap().unwrap(), expected);
    assert!(found(&fresh, text("first")).await.is_empty());
    assert!(found(&fresh, text("old")).await.is_empty());
    assert_eq!(found(&fresh, text("thoughts")).await, ["a.md"]);
    assert_eq!(fresh.store.usage().await.unwrap().tags, [("new".to_owned(), 1)]);

    let patch = MemoryPatch {
        filename: Some("b.md".to_owned()),
        description: Some("better".to_owned()),
        ..MemoryPatch::default()
    };
    let renamed = fresh.store.update(&stored.id, patch).await.unwrap().unwrap();
    assert_eq!(renamed.id, stored.id, "the id stays");
    assert_eq!((renamed.filename.as_str(), renamed.description.as_str()), ("b.md", "better"));
    assert_eq!(renamed.content, "second thoughts");
}

pub(in crate::store) async fn what_is_deleted_is_gone(fresh: Fresh) {
    let new = NewMemory { tags: vec![tag("t")], ..note("a.md", "unforgettable") };
    let stored = fresh.store.put(new).await.unwrap();
    let kept = fresh.store.put(note("b.md", "other")).await.unwrap();
    assert_eq!(fresh.store.delete(&stored.id).await.unwrap().unwrap(), stored);
    assert!(fresh.store.get(&stored.id).await.unwrap().is_none());
    assert!(fresh.store.delete(&stored.id).await.unwrap().is_none());
    assert!(found(&fresh, text("unforgettable")).await.is_empty());
    assert_eq!(found(&fresh, Query::newest(10)).await, ["b.md"]);
    let usage = fresh.store.usage().await.unwrap();
    assert_eq!((usage.memories, usage.bytes, usage.tags.len()), (1, 5, 0));
    assert!(fresh.store.get(&kept.id).await.unwrap().is_some());
}

pub(in crate::store) async fn sizes_are_limited(fresh: Fresh) {
    let largest = "x".repeat(MAX_BYTES);
    let stored = fresh.store.put(note("fits", &largest)).await.unwrap();
    let answer = Some("y".to_owned());
    for new in [
        note("over", &"x".repeat(MAX_BYTES + 1)),
        NewMemory { response: answer, ..note("both sides", &largest) },
        note(&"n".repeat(256), "x"),
        NewMemory { description: "d".repeat(4097), ..note("description", "x") },
    ] {
        let refused = fresh.store.put(new).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::TooLarge, "{refused}");
    }
    let patch = MemoryPatch { content: Some("x".repeat(MAX_BYTES + 1)), ..MemoryPatch::default() };
    let refused = fresh.store.update(&stored.id, patch).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::TooLarge);
    let tags = (0..=MAX_TAGS).map(|i| tag(&i.to_string())).collect();
    let refused = fresh.store.put(NewMemory { tags, ..note("tags", "x") }).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::BadInput);
    assert_eq!(fresh.store.usage().await.unwrap().memories, 1);
}

pub(in crate::store) async fn nul_is_refused(fresh: Fresh) {
    for new in [
        note("a\0b", "x"),
        note("a", "x\0"),
        NewMemory { description: "\0".to_owned(), ..note("a", "x") },
        NewMemory { response: Some("\0".to_owned()), ..note("a", "x") },
    ] {
        assert_eq!(fresh.store.put(new).await.unwrap_err().kind(), Kind::BadInput);
    }
    let stored = fresh.store.put(note("a", "x")).await.unwrap();
    let patch = MemoryPatch { content: Some("\0".to_owned()), ..MemoryPatch::default() };
    let refused = fresh.store.update(&stored.id, patch).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::BadInput);
    assert_eq!(fresh.store.get(&stored.id).await.unwrap().unwrap(), stored);
}

pub(in crate::store) async fn writers_at_once_lose_nothing(fresh: Fresh) {
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let store = Arc::clone(&fresh.store);
        writers.spawn(async move {
            let mut ids = Vec::new();
            for i in 0..25 {
                // Every fifth is refused and must not take its neighbours with it.
                let size = if i % 5 == 4 { MAX_BYTES + 1 } else { 10 };
                let new = note("same", &format!("w{writer} {}", "x".repeat(size)));
                if let Ok(stored) = store.put(new).await {
                    ids.push(stored.id);
                }
            }
            ids
        });
    }
    let mut ids: Vec<MemoryId> = writers.join_all().await.into_iter().flatten().collect();
    assert_eq!(ids.len(), 8 * 20);
    for id in &ids {
        assert!(fresh.store.get(id).await.unwrap().is_some(), "{id}");
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 8 * 20, "no two share a name");
    assert_eq!(fresh.store.usage().await.unwrap().memories, 8 * 20);
}

pub(in crate::store) async fn a_write_given_up_is_whole_or_not_there(fresh: Fresh) {
    for i in 0..50 {
        let new = NewMemory { tags: vec![tag("given up")], ..note(&i.to_string(), "halfword") };
        let mut write = fresh.store.put(new);
        // One poll puts it into the queue; then its caller goes away.
        tokio::select! {
            biased;
            done = &mut write => drop(done.unwrap()),
            () = std::future::ready(()) => {}
        }
    }
    // A write that is waited for comes after all of them.
    fresh.store.put(note("last", "x")).await.unwrap();
    let there = fresh.store.usage().await.unwrap();
    let query = Query { limit: 100, ..text("halfword") };
    let whole = fresh.store.search(query).await.unwrap().hits;
    assert_eq!(whole.len() as u64 + 1, there.memories, "index and table agree");
    assert!(whole.iter().all(|hit| hit.memory.tags.len() == 1));
}
