//! Counts and tags.

use super::{Fresh, found, note, put_all, tag};
use crate::domain::memory::{NewMemory, Query};

pub(in crate::store) async fn tags_ignore_case(fresh: Fresh) {
    let tags = vec![tag("Work"), tag("WORK"), tag("Ärger"), tag("work")];
    let stored = fresh.store.put(NewMemory { tags, ..note("a.md", "x") }).await.unwrap();
    assert_eq!(stored.tags, [tag("Work"), tag("Ärger")], "first spelling, in order");
    for spelled in ["work", "wORK", "ärger"] {
        let query = Query { tag: Some(tag(spelled)), ..Query::newest(10) };
        assert_eq!(found(&fresh, query).await, ["a.md"], "{spelled}");
    }
    let query = Query { tag: Some(tag("wor")), ..Query::newest(10) };
    assert!(found(&fresh, query).await.is_empty(), "a tag is compared whole");
}

pub(in crate::store) async fn usage_counts(fresh: Fresh) {
    let usage = fresh.store.usage().await.unwrap();
    assert_eq!((usage.memories, usage.bytes, usage.oldest, usage.newest), (0, 0, None, None));
    let stored = put_all(
        &fresh,
        vec![
            NewMemory { tags: vec![tag("b"), tag("A")], ..note("1", "äb") },
            NewMemory {
                tags: vec![tag("a")],
                response: Some("yes".to_owned()),
                ..note("2", "1234")
            },
        ],
    )
    .await;
    let usage = fresh.store.usage().await.unwrap();
    assert_eq!((usage.memories, usage.bytes), (2, 10));
    assert_eq!(usage.tags, [("A".to_owned(), 2), ("b".to_owned(), 1)]);
    assert_eq!(usage.oldest, Some(stored[0].created_at));
    assert_eq!(usage.newest, Some(stored[1].created_at));
}

pub(in crate::store) async fn tags_complete(fresh: Fresh) {
    for tags in [vec!["work", "Worry"], vec!["WORK", "play"], vec!["wörk"]] {
        let tags = tags.into_iter().map(tag).collect();
        fresh.store.put(NewMemory { tags, ..note("a", "x") }).await.unwrap();
    }
    let complete = async |prefix: &str, limit| {
        let tags = fresh.store.tags(prefix, limit).await.unwrap();
        tags.iter().map(|t| t.as_str().to_lowercase()).collect::<Vec<_>>()
    };
    assert_eq!(complete("WO", 10).await, ["work", "worry"], "the most used first");
    assert_eq!(complete("wo", 1).await, ["work"]);
    assert_eq!(complete("", 10).await.len(), 4);
    assert!(complete("x", 10).await.is_empty());
    assert!(complete("%", 10).await.is_empty());
}
