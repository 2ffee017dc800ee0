//! Lists: the newest first, filters, pages.

use super::{Fresh, found, note, put_all, tag, text};
use crate::domain::memory::{Memory, MemoryKind, NewMemory, Query};

pub(in crate::store) async fn the_newest_come_first(fresh: Fresh) {
    put_all(&fresh, vec![note("1", "x"), note("2", "x"), note("3", "x")]).await;
    assert_eq!(found(&fresh, Query::newest(2)).await, ["3", "2"]);
    let hits = fresh.store.search(Query::newest(3)).await.unwrap();
    assert!(!hits.more);
    assert!(hits.hits.iter().all(|hit| hit.score == 0.0));
}

async fn mixed(fresh: &Fresh) -> Vec<Memory> {
    let kind = |kind, name: &str| NewMemory { kind, ..note(name, "apple") };
    put_all(
        fresh,
        vec![
            NewMemory { tags: vec![tag("a")], ..note("0", "apple") },
            kind(MemoryKind::Conversation, "1"),
            NewMemory { tags: vec![tag("a"), tag("b")], ..note("2", "apple") },
            kind(MemoryKind::UserKnowledge, "3"),
            kind(MemoryKind::AssistantKnowledge, "4"),
            note("5", "pear"),
        ],
    )
    .await
}

/// Every filter, and the file names that pass it among [`mixed`], oldest first.
fn filters(stored: &[Memory]) -> Vec<(Query, Vec<&'static str>)> {
    let all = Query::newest(10);
    let at = |index: usize| Some(stored[index].created_at);
    vec![
        (Query { since: at(2), ..all.clone() }, vec!["2", "3", "4", "5"]),
        (Query { before: at(2), ..all.clone() }, vec!["0", "1"]),
        (Query { since: at(1), before: at(3), ..all.clone() }, vec!["1", "2"]),
        (Query { tag: Some(tag("A")), ..all.clone() }, vec!["0", "2"]),
        (Query { tag: Some(tag("a")), since: at(1), ..all.clone() }, vec!["2"]),
        (Query { tag: Some(tag("none")), ..all.clone() }, vec![]),
        (Query { kinds: vec![MemoryKind::Conversation], ..all.clone() }, vec!["1"]),
        (
            Query {
                kinds: vec![MemoryKind::UserKnowledge, MemoryKind::AssistantKnowledge],
                ..all.clone()
            },
            vec!["3", "4"],
        ),
        (
            Query { kinds: MemoryKind::ALL.to_vec(), before: at(5), ..all },
            vec!["0", "1", "2", "3", "4"],
        ),
    ]
}

pub(in crate::store) async fn filters_narrow(fresh: Fresh) {
    let stored = mixed(&fresh).await;
    for (query, mut expected) in filters(&stored) {
        expected.reverse();
        assert_eq!(found(&fresh, query.clone()).await, expected, "{query:?}");
    }
}

pub(in crate::store) async fn filters_narrow_ranked_answers_too(fresh: Fresh) {
    let stored = mixed(&fresh).await;
    for (query, expected) in filters(&stored) {
        let query = Query { text: Some("apple".to_owned()), ..query };
        let mut names = found(&fresh, query.clone()).await;
        names.sort();
        let expected: Vec<&str> = expected.into_iter().filter(|name| *name != "5").collect();
        assert_eq!(names, expected, "{query:?}");
    }
}

pub(in crate::store) async fn pages_join_without_gap_or_overlap(fresh: Fresh) {
    for i in 0..10 {
        fresh.store.put(note(&i.to_string(), "same words here")).await.unwrap();
    }
    for whole in [Query::newest(10), text("words")] {
        let expected = found(&fresh, whole.clone()).await;
        assert_eq!(expected.len(), 10);
        let mut joined = Vec::new();
        for page in 0..4 {
            let query = Query { limit: 3, offset: 3 * page, ..whole.clone() };
            let hits = fresh.store.search(query).await.unwrap();
            assert_eq!(hits.more, page < 3, "page {page}");
            joined.extend(hits.hits.into_iter().map(|hit| hit.memory.filename));
        }
        assert_eq!(joined, expected);
    }
    let beyond = Query { offset: usize::MAX, ..Query::newest(3) };
    assert!(found(&fresh, beyond).await.is_empty());
}
