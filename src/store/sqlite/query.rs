//! Reading: search, counts, tags. Every statement is a constant; what a caller sends is bound.
//! What is out of reach is left out by the statements themselves, so that pages, counts and what
//! is more are those of a store in which it is not (I4).
//!
//! Without text the newest come first, straight from the index by time or by tag. With text the
//! memories are ranked by their words, and only the page that is asked for is read from the table.

use rusqlite::{Connection, Statement, ToSql, named_params, types::ValueRef};

use super::{
    choice::{Choice, choose},
    known::Known,
    rank::{self, Ranked},
    row::{self, folded, microseconds, time},
    within,
    words::{self, Word},
};
use crate::domain::{
    Error, Result,
    memory::{Hit, Hits, MemoryKind, Query, Tag, Usage},
    reach::Reach,
};

/// The most memories in one answer.
const MAX_LIMIT: usize = 1000;

const NEWEST: &str = "
    SELECT id, kind, created_at, updated_at, author_key, client_name, client_version,
           filename, description, tags, content, response, 0.0
    FROM memory
    WHERE created_at >= :since AND created_at < :before
      AND (:kind1 IS NULL OR kind IN (:kind1, :kind2, :kind3, :kind4))
      AND (:reach IS NULL OR EXISTS (SELECT 1 FROM tag AS own WHERE own.memory = memory.n
           AND own.folded IN (SELECT value FROM json_each(:reach))))
    ORDER BY created_at DESC, n DESC LIMIT :limit OFFSET :offset";

/// From the tag to its memories: a rare tag among many memories stays cheap.
const NEWEST_WITH_TAG: &str = "
    SELECT id, kind, created_at, updated_at, author_key, client_name, client_version,
           filename, description, tags, content, response, 0.0
    FROM tag CROSS JOIN memory ON memory.n = tag.memory
    WHERE tag.folded = :tag AND created_at >= :since AND created_at < :before
      AND (:kind1 IS NULL OR kind IN (:kind1, :kind2, :kind3, :kind4))
      AND (:reach IS NULL OR EXISTS (SELECT 1 FROM tag AS own WHERE own.memory = memory.n
           AND own.folded IN (SELECT value FROM json_each(:reach))))
    ORDER BY created_at DESC, n DESC LIMIT :limit OFFSET :offset";

/// Ranked inside, read outside: the text of a thousand matches is not touched for a page of ten.
/// The weights say that a word in a name or a tag tells more than one in a long text.
const BEST: &str = "
    SELECT id, kind, created_at, updated_at, author_key, client_name, client_version,
           filename, description, tags, content, response, -hit.cost
    FROM (SELECT rowid AS n, bm25(word, 3.0, 2.0, 1.0, 1.0, 3.0) AS cost FROM word
          WHERE word MATCH :words AND rowid >= :from
          ORDER BY cost, n DESC LIMIT :limit OFFSET :offset) AS hit
    CROSS JOIN memory ON memory.n = hit.n
    ORDER BY hit.cost, hit.n DESC";

/// One memory, if the filter lets it through.
const ONE: &str = "
    SELECT id, kind, created_at, updated_at, author_key, client_name, client_version,
           filename, description, tags, content, response
    FROM memory
    WHERE n = :n AND created_at >= :since AND created_at < :before
      AND (:kind1 IS NULL OR kind IN (:kind1, :kind2, :kind3, :kind4))
      AND (:tag IS NULL
           OR EXISTS (SELECT 1 FROM tag WHERE tag.folded = :tag AND tag.memory = memory.n))
      AND (:reach IS NULL OR EXISTS (SELECT 1 FROM tag AS own WHERE own.memory = memory.n
           AND own.folded IN (SELECT value FROM json_each(:reach))))";

const BEST_FILTERED: &str = "
    SELECT id, kind, created_at, updated_at, author_key, client_name, client_version,
           filename, description, tags, content, response, -hit.cost
    FROM (SELECT word.rowid AS n, bm25(word, 3.0, 2.0, 1.0, 1.0, 3.0) AS cost
          FROM word CROSS JOIN memory ON memory.n = word.rowid
          WHERE word MATCH :words AND created_at >= :since AND created_at < :before
            AND (:kind1 IS NULL OR kind IN (:kind1, :kind2, :kind3, :kind4))
            AND (:tag IS NULL
                 OR EXISTS (SELECT 1 FROM tag WHERE tag.folded = :tag AND tag.memory = memory.n))
          ORDER BY cost, word.rowid DESC LIMIT :limit OFFSET :offset) AS hit
    CROSS JOIN memory ON memory.n = hit.n
    ORDER BY hit.cost, hit.n DESC";

/// Answers a query.
///
/// # Errors
/// `BadInput` when the text has no words; `Timeout` when the connection's deadline passes.
pub(super) fn search(
    database: &Connection,
    known: &Known,
    query: &Query,
    reach: &Reach,
) -> Result<Hits> {
    answer(database, known, &Asked { query, reach: folded_tags(reach)? })
}

/// A question, and the tags in reach as a JSON array; `None` where every memory is in reach.
struct Asked<'a> {
    query: &'a Query,
    reach: Option<String>,
}

fn folded_tags(reach: &Reach) -> Result<Option<String>> {
    let Some(tags) = reach.tags() else { return Ok(None) };
    let tags: Vec<String> = tags.iter().map(Tag::folded).collect();
    serde_json::to_string(&tags).map(Some).map_err(Error::internal)
}

fn answer(database: &Connection, known: &Known, asked: &Asked<'_>) -> Result<Hits> {
    let query = asked.query;
    if query.kinds.len() > MemoryKind::ALL.len() {
        return Err(Error::bad_input("a query names each kind once"));
    }
    let Some(text) = &query.text else {
        let sql = if query.tag.is_some() { NEWEST_WITH_TAG } else { NEWEST };
        return page(database, sql, asked, &[], i64::MIN);
    };
    let words = words::parse(text)?;
    // All statements see the same memories, and lock the file once.
    let moment = database.unchecked_transaction()?;
    if let Some(reach) = &asked.reach {
        return pick(&moment, asked, &within::rank(&moment, &words, reach)?);
    }
    let Choice { all, rare, from, read } = choose(&moment, known, words)?;
    let deciding = if rare.is_empty() { &all } else { &rare };
    let filtered = is_filtered(asked);
    let hits = match read {
        Some(words) => pick(&moment, asked, &rank::rank(&moment, &words)?)?,
        None if filtered => page(&moment, BEST_FILTERED, asked, deciding, i64::MIN)?,
        None => page(&moment, BEST, asked, deciding, from)?,
    };
    if !filtered || rare.is_empty() || hits.hits.len() == query.limit {
        return Ok(hits);
    }
    // The filter leaves little of what the rare words find: the common ones fill the page.
    page(&moment, BEST_FILTERED, asked, &all, i64::MIN)
}

fn is_filtered(Asked { query, reach }: &Asked<'_>) -> bool {
    reach.is_some()
        || query.since.is_some()
        || query.before.is_some()
        || query.tag.is_some()
        || !query.kinds.is_empty()
}

/// One page of what `sql`, one of the statements above, finds.
fn page(
    database: &Connection,
    sql: &'static str,
    asked: &Asked<'_>,
    words: &[Word],
    from: i64,
) -> Result<Hits> {
    let query = asked.query;
    let limit = query.limit.min(MAX_LIMIT);
    let mut statement = database.prepare_cached(sql)?;
    bind_filter(&mut statement, asked)?;
    bind(&mut statement, ":words", &words::expression(words))?;
    bind(&mut statement, ":from", &from)?;
    // One more than asked for tells whether there is a further page.
    bind(&mut statement, ":limit", &i64::try_from(limit + 1).unwrap_or(i64::MAX))?;
    bind(&mut statement, ":offset", &i64::try_from(query.offset).unwrap_or(i64::MAX))?;
    let mut rows = statement.raw_query();
    let mut hits = Vec::with_capacity(limit.min(64));
    let mut more = false;
    while let Some(row) = rows.next()? {
        if hits.len() == limit {
            more = true;
            break;
        }
        hits.push(Hit { memory: row::memory(row)?, score: row.get(12)? });
    }
    Ok(Hits { hits, more })
}

/// One page of `ranked`: those that the filter lets through are read, down to the page's end.
fn pick(database: &Connection, asked: &Asked<'_>, ranked: &[Ranked]) -> Result<Hits> {
    let query = asked.query;
    let limit = query.limit.min(MAX_LIMIT);
    // Without a filter everybody is let through, so nobody before the page need be asked.
    let jump = if is_filtered(asked) { 0 } else { query.offset.min(ranked.len()) };
    let mut ahead = query.offset - jump;
    let mut statement = database.prepare_cached(ONE)?;
    bind_filter(&mut statement, asked)?;
    let mut hits = Vec::with_capacity(limit.min(64));
    for Ranked { n, score } in ranked.iter().skip(jump) {
        bind(&mut statement, ":n", n)?;
        let mut rows = statement.raw_query();
        let Some(row) = rows.next()? else { continue };
        if ahead > 0 {
            ahead -= 1;
        } else if hits.len() == limit {
            return Ok(Hits { hits, more: true });
        } else {
            hits.push(Hit { memory: row::memory(row)?, score: *score });
        }
    }
    Ok(Hits { hits, more: false })
}

/// Binds what narrows a query, where the statement asks for it.
fn bind_filter(statement: &mut Statement<'_>, asked: &Asked<'_>) -> Result<()> {
    let query = asked.query;
    bind(statement, ":reach", &asked.reach)?;
    let kind = |index: usize| query.kinds.get(index).map(|k| k.as_str());
    bind(statement, ":tag", &query.tag.as_ref().map(Tag::folded))?;
    bind(statement, ":since", &query.since.map_or(i64::MIN, microseconds))?;
    bind(statement, ":before", &query.before.map_or(i64::MAX, microseconds))?;
    // With fewer than four kinds the rest repeats the first.
    bind(statement, ":kind1", &kind(0))?;
    bind(statement, ":kind2", &kind(1).or(kind(0)))?;
    bind(statement, ":kind3", &kind(2).or(kind(0)))?;
    bind(statement, ":kind4", &kind(3).or(kind(0)))
}

/// Binds a value, where the statement asks for it.
fn bind(statement: &mut Statement<'_>, name: &str, value: &dyn ToSql) -> Result<()> {
    if let Some(index) = statement.parameter_index(name)? {
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(())
}

const COUNTS: &str = "
    SELECT count(*), coalesce(sum(bytes), 0), min(created_at), max(created_at) FROM memory";

const COUNTS_IN_REACH: &str = "
    SELECT count(*), coalesce(sum(bytes), 0), min(created_at), max(created_at) FROM memory
    WHERE EXISTS (SELECT 1 FROM tag AS own WHERE own.memory = memory.n
                  AND own.folded IN (SELECT value FROM json_each(:reach)))";

/// Every tag of a memory in reach is in reach.
const TAG_COUNTS: &str = "
    SELECT min(spelled), count(*) FROM tag
    WHERE :reach IS NULL OR EXISTS (SELECT 1 FROM tag AS own WHERE own.memory = tag.memory
          AND own.folded IN (SELECT value FROM json_each(:reach)))
    GROUP BY folded ORDER BY folded";

/// Counts; without a reach from indexes alone.
pub(super) fn usage(database: &Connection, reach: &Reach) -> Result<Usage> {
    let reach = folded_tags(reach)?;
    let sql = if reach.is_some() { COUNTS_IN_REACH } else { COUNTS };
    let mut statement = database.prepare_cached(sql)?;
    bind(&mut statement, ":reach", &reach)?;
    let mut rows = statement.raw_query();
    let row = rows.next()?.ok_or_else(|| Error::internal("a count without a row"))?;
    let time_or_none = |column| match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => time(row, column).map(Some),
    };
    let (memories, bytes): (i64, i64) = (row.get(0)?, row.get(1)?);
    let (oldest, newest) = (time_or_none(2)?, time_or_none(3)?);
    let mut statement = database.prepare_cached(TAG_COUNTS)?;
    let tags = statement
        .query_map(named_params! {":reach": reach}, |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Usage {
        memories: memories.unsigned_abs(),
        bytes: bytes.unsigned_abs(),
        tags,
        oldest,
        newest,
    })
}

/// Tags that start with `prefix`, case ignored, the most used first.
pub(super) fn tags(
    database: &Connection,
    prefix: &str,
    limit: usize,
    reach: &Reach,
) -> Result<Vec<Tag>> {
    let from = folded(prefix);
    // No character sorts behind this one: the end of everything that starts with `from`.
    let to = [from.as_str(), "\u{10ffff}"].concat();
    let limit = i64::try_from(limit.min(MAX_LIMIT)).unwrap_or(i64::MAX);
    let mut statement = database.prepare_cached(
        "SELECT min(spelled) FROM tag WHERE folded >= ?1 AND folded < ?2
           AND (?4 IS NULL OR EXISTS (SELECT 1 FROM tag AS own WHERE own.memory = tag.memory
                AND own.folded IN (SELECT value FROM json_each(?4))))
         GROUP BY folded ORDER BY count(*) DESC, folded LIMIT ?3",
    )?;
    let mut rows = statement.query((from, to, limit, folded_tags(reach)?))?;
    let mut tags = Vec::new();
    while let Some(row) = rows.next()? {
        tags.push(Tag::parse(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::future::join_all;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        db::sqlite::{Database, Limits, Mode},
        domain::{
            clock::SystemClock,
            memory::{MemoryPatch, NewMemory},
        },
        store::{
            TenantStore as _,
            conformance::{note, tag},
            sqlite::tests::Opened,
        },
    };

    /// Words that begin alike, so that everything about beginnings is met.
    fn text(longest: usize) -> impl Strategy<Value = String> {
        const WORDS: &[&str] = &["a", "red", "reds", "work", "works", "working", "workshop", "bus"];
        let word = proptest::sample::select(WORDS);
        proptest::collection::vec(word, 1..longest).prop_map(|words| words.join(" "))
    }

    /// The file name, text and tag of each memory; what becomes of it later.
    fn memories() -> impl Strategy<Value = Vec<(String, String, String, u8)>> {
        proptest::collection::vec((text(3), text(12), text(3), any::<u8>()), 1..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 64, ..Default::default() })]

        #[test]
        fn both_rankings_agree(
            memories in memories(),
            queries in proptest::collection::vec((text(4), 0_usize..4, any::<bool>()), 6),
        ) {
            let opened = Opened::new();
            let store = opened.store();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                // All at once, so that they share commits.
                let stored = join_all(memories.iter().map(|(filename, content, label, _)| {
                    store.put(NewMemory {
                        response: label.contains("red").then(|| content.clone()),
                        tags: vec![tag(label)],
                        ..note(filename, content)
                    })
                }))
                .await;
                join_all(stored.into_iter().zip(&memories).map(async |(memory, told)| {
                    let id = memory.unwrap().id;
                    let content = Some(told.2.clone());
                    let patch = MemoryPatch { content, ..MemoryPatch::default() };
                    match told.3 % 8 {
                        0 => drop(store.delete(&id).await.unwrap()),
                        1 => drop(store.update(&id, patch).await.unwrap()),
                        _ => {}
                    }
                }))
                .await;
            });
            let clock = Arc::new(SystemClock::new());
            let database =
                Database::open(&opened.path(), Mode::Reader, &Limits::default(), clock).unwrap();
            for (text, offset, filtered) in queries {
                let tag = filtered.then(|| tag("red"));
                let query = Query { tag, offset, ..Query::newest(5) };
                let query = Asked { query: &query, reach: None };
                let words = words::parse(&text).unwrap();
                let Choice { read, .. } =
                    choose(&database, &Known::default(), words.clone()).unwrap();
                let ranked = rank::rank(&database, &read.unwrap()).unwrap();
                let ours = pick(&database, &query, &ranked).unwrap();
                let sql = if filtered { BEST_FILTERED } else { BEST };
                let theirs = page(&database, sql, &query, &words, i64::MIN).unwrap();
                let shown = |hits: &Hits| {
                    let hit = |hit: &Hit| (hit.memory.id.clone(), format!("{:.9}", hit.score));
                    (hits.hits.iter().map(hit).collect::<Vec<_>>(), hits.more)
                };
                prop_assert_eq!(shown(&ours), shown(&theirs), "{}", text);
            }
        }
    }
}
