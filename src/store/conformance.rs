//! What every store does, whatever is behind it: one suite, run for each backend.
//!
//! A backend calls `conformance!` with a function that makes a fresh, empty store, and gets one
//! test for each rule below. Nothing here knows of files, tables or SQL.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::TenantStore;
use crate::domain::{
    Kind,
    client::ClientInfo,
    clock::ManualClock,
    key::KeyId,
    memory::{Author, MAX_TAGS, Memory, MemoryId, MemoryKind, MemoryPatch, NewMemory, Query, Tag},
};

/// The largest memory in a store under test, in bytes.
pub(super) const MAX_BYTES: usize = 4096;

/// A fresh store, its clock, and whatever has to live as long as it.
pub(super) struct Fresh {
    pub(super) store: Arc<dyn TenantStore>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) _keep: Box<dyn Send>,
}

/// The clock of a store under test starts here.
pub(super) fn start() -> Timestamp {
    "2024-07-15T14:30:52.123456Z".parse().unwrap()
}

/// One test for each rule.
macro_rules! conformance {
    ($fresh:path) => {
        crate::store::conformance::conformance!(@each $fresh:
            what_is_put_is_found
            two_in_one_second_have_two_names
            an_unknown_id_is_nothing
            a_patch_changes_what_it_names
            what_is_deleted_is_gone
            sizes_are_limited
            nul_is_refused
            tags_ignore_case
            the_newest_come_first
            filters_narrow
            filters_narrow_ranked_answers_too
            pages_join_without_gap_or_overlap
            words_find_in_every_field
            parts_of_words_find
            better_answers_come_first
            query_text_is_never_syntax
            a_query_without_words_is_refused
            usage_counts
            tags_complete
            writers_at_once_lose_nothing
            a_write_given_up_is_whole_or_not_there
        );
    };
    (@each $fresh:path: $($rule:ident)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $rule() {
            crate::store::conformance::$rule($fresh().await).await;
        }
    )+};
}
pub(super) use conformance;

pub(super) fn tag(text: &str) -> Tag {
    Tag::parse(text).unwrap()
}

fn id(text: &str) -> MemoryId {
    MemoryId::parse(text).unwrap()
}

/// A note with this file name and text.
pub(super) fn note(filename: &str, content: &str) -> NewMemory {
    NewMemory {
        kind: MemoryKind::Note,
        filename: filename.to_owned(),
        description: String::new(),
        content: content.to_owned(),
        response: None,
        tags: Vec::new(),
        author: Author {
            key: KeyId::parse("env-test").unwrap(),
            client: ClientInfo::new("tester", "1.0"),
        },
    }
}

fn text(words: &str) -> Query {
    Query { text: Some(words.to_owned()), ..Query::newest(10) }
}

async fn found(fresh: &Fresh, query: Query) -> Vec<String> {
    let hits = fresh.store.search(query).await.unwrap().hits;
    hits.into_iter().map(|hit| hit.memory.filename).collect()
}

/// Puts each, a minute apart, oldest first.
async fn put_all(fresh: &Fresh, news: Vec<NewMemory>) -> Vec<Memory> {
    let mut stored = Vec::new();
    for new in news {
        stored.push(fresh.store.put(new).await.unwrap());
        fresh.clock.advance(Duration::from_mins(1));
    }
    stored
}

pub(super) async fn what_is_put_is_found(fresh: Fresh) {
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

pub(super) async fn two_in_one_second_have_two_names(fresh: Fresh) {
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(fresh.store.put(note("a.md", "x")).await.unwrap().id);
        fresh.clock.advance(Duration::from_millis(100));
    }
    let names: Vec<&str> = ids.iter().map(MemoryId::as_str).collect();
    assert_eq!(names, ["20240715_143052_a.md", "20240715_143052_a_2.md", "20240715_143052_a_3.md"]);
}

pub(super) async fn an_unknown_id_is_nothing(fresh: Fresh) {
    let unknown = id("20240715_143052_a.md");
    assert!(fresh.store.get(&unknown).await.unwrap().is_none());
    assert!(fresh.store.delete(&unknown).await.unwrap().is_none());
    assert!(fresh.store.update(&unknown, MemoryPatch::default()).await.unwrap().is_none());
}

pub(super) async fn a_patch_changes_what_it_names(fresh: Fresh) {
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

pub(super) async fn what_is_deleted_is_gone(fresh: Fresh) {
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

pub(super) async fn sizes_are_limited(fresh: Fresh) {
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

pub(super) async fn nul_is_refused(fresh: Fresh) {
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

pub(super) async fn tags_ignore_case(fresh: Fresh) {
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

pub(super) async fn the_newest_come_first(fresh: Fresh) {
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

pub(super) async fn filters_narrow(fresh: Fresh) {
    let stored = mixed(&fresh).await;
    for (query, mut expected) in filters(&stored) {
        expected.reverse();
        assert_eq!(found(&fresh, query.clone()).await, expected, "{query:?}");
    }
}

pub(super) async fn filters_narrow_ranked_answers_too(fresh: Fresh) {
    let stored = mixed(&fresh).await;
    for (query, expected) in filters(&stored) {
        let query = Query { text: Some("apple".to_owned()), ..query };
        let mut names = found(&fresh, query.clone()).await;
        names.sort();
        let expected: Vec<&str> = expected.into_iter().filter(|name| *name != "5").collect();
        assert_eq!(names, expected, "{query:?}");
    }
}

pub(super) async fn pages_join_without_gap_or_overlap(fresh: Fresh) {
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

pub(super) async fn words_find_in_every_field(fresh: Fresh) {
    let new = NewMemory {
        description: "third".to_owned(),
        response: Some("fourth".to_owned()),
        tags: vec![tag("fifth")],
        ..note("first.txt", "second")
    };
    fresh.store.put(new).await.unwrap();
    for word in ["first", "SECOND", "Third", "fourth", "fifth", "nothing or fifth"] {
        assert_eq!(found(&fresh, text(word)).await, ["first.txt"], "{word}");
    }
    assert!(found(&fresh, text("sixth")).await.is_empty());
}

pub(super) async fn parts_of_words_find(fresh: Fresh) {
    fresh.store.put(note("a", "Working on the Müller account")).await.unwrap();
    for part in ["wor", "work", "worked", "mül", "MÜLLER", "muller", "acc"] {
        assert_eq!(found(&fresh, text(part)).await, ["a"], "{part}");
    }
}

pub(super) async fn better_answers_come_first(fresh: Fresh) {
    let many = "some other words that do not matter here ".repeat(3);
    put_all(
        &fresh,
        vec![
            note("in a long text", &format!("{many} garden {many}")),
            note("both words", "the garden has a fence"),
            note("part of a word", "gardenia"),
            note("garden", "named so"),
            note("unrelated", "nothing"),
        ],
    )
    .await;
    let names = found(&fresh, text("garden fence")).await;
    assert_eq!(names.first().map(String::as_str), Some("both words"), "{names:?}");
    let names = found(&fresh, text("garden")).await;
    assert_eq!(names.first().map(String::as_str), Some("garden"), "{names:?}");
    assert_eq!(names.len(), 4, "{names:?}");
    let scores: Vec<f64> = fresh
        .store
        .search(text("garden"))
        .await
        .unwrap()
        .hits
        .iter()
        .map(|hit| hit.score)
        .collect();
    assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]), "{scores:?}");
    assert!(scores.iter().all(|score| *score > 0.0), "{scores:?}");
}

pub(super) async fn query_text_is_never_syntax(fresh: Fresh) {
    fresh.store.put(note("secret", "the canary sings")).await.unwrap();
    for hostile in [
        "\"",
        "'",
        "*",
        "canary*\"",
        "NEAR(a b, 5)",
        "content:canary",
        "{a b}: c",
        "^canary",
        "a AND",
        "OR OR",
        "NOT NOT",
        "(",
        ")",
        "a + b",
        "-x",
        "x\0y",
        "\u{202e}",
        "' OR 1=1 --",
        "\"; DROP TABLE memory; --",
        "%",
        "_",
        "?1",
        ":words",
        "$x",
        "rank MATCH",
    ] {
        match fresh.store.search(text(hostile)).await {
            Ok(_) => {}
            Err(refused) => assert_eq!(refused.kind(), Kind::BadInput, "{hostile:?}: {refused}"),
        }
    }
    assert_eq!(found(&fresh, text("content:canary")).await, ["secret"], "as two words");
    assert!(found(&fresh, text("NOT nothing")).await.is_empty());
}

pub(super) async fn a_query_without_words_is_refused(fresh: Fresh) {
    for empty in ["", "  ", "?!", "\0"] {
        let refused = fresh.store.search(text(empty)).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::BadInput);
        assert_eq!(refused.public(), "the query has no words");
    }
}

pub(super) async fn usage_counts(fresh: Fresh) {
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

pub(super) async fn tags_complete(fresh: Fresh) {
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

pub(super) async fn writers_at_once_lose_nothing(fresh: Fresh) {
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

pub(super) async fn a_write_given_up_is_whole_or_not_there(fresh: Fresh) {
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
