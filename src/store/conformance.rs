//! What every store does, whatever is behind it: one suite, run for each backend.
//!
//! A backend calls `conformance!` with a function that makes a fresh, empty store, and gets one
//! test for each rule below. Nothing here knows of files, tables or SQL.

pub(super) mod counting;
pub(super) mod listing;
pub(super) mod words;
pub(super) mod writing;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::TenantStore;
use crate::domain::{
    client::ClientInfo,
    clock::ManualClock,
    key::KeyId,
    memory::{Author, Memory, MemoryKind, NewMemory, Query, Tag},
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

/// One test for each rule, by what it is about.
macro_rules! conformance {
    ($fresh:path) => {
        crate::store::conformance::conformance!(@each $fresh:
            writing {
                what_is_put_is_found
                two_in_one_second_have_two_names
                an_unknown_id_is_nothing
                a_patch_changes_what_it_names
                what_is_deleted_is_gone
                sizes_are_limited
                nul_is_refused
                writers_at_once_lose_nothing
                a_write_given_up_is_whole_or_not_there
            }
            listing {
                the_newest_come_first
                filters_narrow
                filters_narrow_ranked_answers_too
                pages_join_without_gap_or_overlap
            }
            words {
                words_find_in_every_field
                parts_of_words_find
                better_answers_come_first
                query_text_is_never_syntax
                a_query_without_words_is_refused
            }
            counting {
                tags_ignore_case
                usage_counts
                tags_complete
            }
        );
    };
    (@each $fresh:path: $($noun:ident { $($rule:ident)+ })+) => {$($(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $rule() {
            crate::store::conformance::$noun::$rule($fresh().await).await;
        }
    )+)+};
}
pub(super) use conformance;

pub(super) fn tag(text: &str) -> Tag {
    Tag::parse(text).unwrap()
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
