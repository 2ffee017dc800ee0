//! Reading: search, counts, tags. Every statement is a constant; what a caller sends is bound.
//!
//! Without text the newest come first, straight from the index by time or by tag. With text the
//! index of words ranks, and only the page that is asked for is read from the table.

use rusqlite::{Connection, ToSql, types::ValueRef};

use super::{
    choice::{Choice, choose},
    row::{self, folded, microseconds, time},
    words::{self, Word},
};
use crate::domain::{
    Error, Result,
    memory::{Hit, Hits, MemoryKind, Query, Tag, Usage},
};

/// The most memories in one answer.
const MAX_LIMIT: usize = 1000;

const NEWEST: &str = "
    SELECT id, kind, created_at, updated_at, author_key, client_name, client_version,
           filename, description, tags, content, response, 0.0
    FROM memory
    WHERE created_at >= :since AND created_at < :before
      AND (:kind1 IS NULL OR kind IN (:kind1, :kind2, :kind3, :kind4))
    ORDER BY created_at DESC, n DESC LIMIT :limit OFFSET :offset";

/// From the tag to its memories: a rare tag among many memories stays cheap.
const NEWEST_WITH_TAG: &str = "
    SELECT id, kind, created_at, updated_at, author_key, client_name, client_version,
           filename, description, tags, content, response, 0.0
    FROM tag CROSS JOIN memory ON memory.n = tag.memory
    WHERE tag.folded = :tag AND created_at >= :since AND created_at < :before
      AND (:kind1 IS NULL OR kind IN (:kind1, :kind2, :kind3, :kind4))
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
pub(super) fn search(database: &Connection, query: &Query) -> Result<Hits> {
    if query.kinds.len() > MemoryKind::ALL.len() {
        return Err(Error::bad_input("a query names each kind once"));
    }
    let Some(text) = &query.text else {
        let sql = if query.tag.is_some() { NEWEST_WITH_TAG } else { NEWEST };
        return page(database, sql, query, &[], i64::MIN);
    };
    let filtered = query.since.is_some()
        || query.before.is_some()
        || query.tag.is_some()
        || !query.kinds.is_empty();
    let Choice { all, rare, from } = choose(database, words::parse(text)?)?;
    let deciding = if rare.is_empty() { &all } else { &rare };
    if !filtered {
        return page(database, BEST, query, deciding, from);
    }
    let hits = page(database, BEST_FILTERED, query, deciding, i64::MIN)?;
    if rare.is_empty() || hits.hits.len() == query.limit {
        return Ok(hits);
    }
    // The filter leaves little of what the rare words find: the common ones fill the page.
    page(database, BEST_FILTERED, query, &all, i64::MIN)
}

/// One page of what `sql`, one of the statements above, finds.
fn page(
    database: &Connection,
    sql: &'static str,
    query: &Query,
    words: &[Word],
    from: i64,
) -> Result<Hits> {
    let limit = query.limit.min(MAX_LIMIT);
    let tag = query.tag.as_ref().map(|t| folded(t.as_str()));
    let kind = |index: usize| query.kinds.get(index).map(|k| k.as_str());
    let mut statement = database.prepare_cached(sql)?;
    let values: [(&str, &dyn ToSql); 11] = [
        (":words", &words::expression(words)),
        (":from", &from),
        (":tag", &tag),
        (":since", &query.since.map_or(i64::MIN, microseconds)),
        (":before", &query.before.map_or(i64::MAX, microseconds)),
        // With fewer than four kinds the rest repeats the first.
        (":kind1", &kind(0)),
        (":kind2", &kind(1).or(kind(0))),
        (":kind3", &kind(2).or(kind(0))),
        (":kind4", &kind(3).or(kind(0))),
        // One more than asked for tells whether there is a further page.
        (":limit", &i64::try_from(limit + 1).unwrap_or(i64::MAX)),
        (":offset", &i64::try_from(query.offset).unwrap_or(i64::MAX)),
    ];
    for (name, value) in values {
        if let Some(index) = statement.parameter_index(name)? {
            statement.raw_bind_parameter(index, value)?;
        }
    }
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

/// Counts, from indexes alone.
pub(super) fn usage(database: &Connection) -> Result<Usage> {
    let (memories, bytes, oldest, newest) = database
        .prepare_cached(
            "SELECT count(*), coalesce(sum(bytes), 0), min(created_at), max(created_at)
             FROM memory",
        )?
        .query_row([], |row| {
            let time_or_none = |column| match row.get_ref(column)? {
                ValueRef::Null => Ok(None),
                _ => time(row, column).map(Some),
            };
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, time_or_none(2)?, time_or_none(3)?))
        })?;
    let mut statement = database
        .prepare_cached("SELECT min(spelled), count(*) FROM tag GROUP BY folded ORDER BY folded")?;
    let tags = statement
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?
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
pub(super) fn tags(database: &Connection, prefix: &str, limit: usize) -> Result<Vec<Tag>> {
    let from = folded(prefix);
    // No character sorts behind this one: the end of everything that starts with `from`.
    let to = [from.as_str(), "\u{10ffff}"].concat();
    let limit = i64::try_from(limit.min(MAX_LIMIT)).unwrap_or(i64::MAX);
    let mut statement = database.prepare_cached(
        "SELECT min(spelled) FROM tag WHERE folded >= ?1 AND folded < ?2
         GROUP BY folded ORDER BY count(*) DESC, folded LIMIT ?3",
    )?;
    let mut rows = statement.query((from, to, limit))?;
    let mut tags = Vec::new();
    while let Some(row) = rows.next()? {
        tags.push(Tag::parse(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(tags)
}
