//! Which words of a query are worth ranking.
//!
//! Ranking costs some microseconds for every memory that holds a word. A word that stands in
//! thousands of memories says little about any one of them and would cost more time than a query
//! has, so in a large store the rare words decide. In a small store all words count.

use rusqlite::Connection;

use super::{
    known::{Fact, Known},
    occurrences::{self, Occurrences},
    words::{self, Word},
};
use crate::domain::Result;

/// A word in so many memories is common.
pub(super) const COMMON: i64 = 5_000;
/// So many memories are ranked by the rare words together, at most.
const RANKED: i64 = 20_000;

/// How a query is to be answered.
#[derive(Debug, PartialEq)]
pub(super) struct Choice {
    /// Every word, in the form in which it can be afforded.
    pub(super) all: Vec<Word>,
    /// The words that decide; empty when every word is common, or when all are affordable.
    pub(super) rare: Vec<Word>,
    /// Without rare words: the memory from which on all words are ranked.
    pub(super) from: i64,
    /// Where the words that decide stand, when all their lists are short.
    pub(super) read: Option<Vec<Occurrences>>,
}

/// A word that was looked at.
struct Looked {
    /// In how many memories it stands; [`COMMON`] stands for that and more.
    memories: i64,
    word: Word,
    read: Option<Occurrences>,
}

/// Looks at how often each word stands in the store, up to [`COMMON`].
pub(super) fn choose(database: &Connection, known: &Known, words: Vec<Word>) -> Result<Choice> {
    // Numbers grow with every memory, so the newest bounds the count.
    let newest: Option<i64> =
        database.prepare_cached("SELECT max(n) FROM memory")?.query_row([], |row| row.get(0))?;
    if newest.is_none_or(|n| n <= COMMON) {
        let read = words.iter().map(|word| list(database, known, word)).collect::<Result<_>>()?;
        return Ok(Choice { all: words, rare: Vec::new(), from: i64::MIN, read });
    }
    let mut looked = words
        .into_iter()
        .map(|word| affordable(database, known, word))
        .collect::<Result<Vec<_>>>()?;
    let all: Vec<Word> = looked.iter().map(|looked| looked.word.clone()).collect();
    if looked.iter().all(|looked| looked.memories == 0) {
        return Ok(Choice { all, rare: Vec::new(), from: i64::MIN, read: Some(Vec::new()) });
    }
    looked.retain(|looked| (1..COMMON).contains(&looked.memories));
    looked.sort_by_key(|looked| looked.memories);
    let mut ranked = 0;
    let (rare, read): (Vec<_>, Vec<_>) = looked
        .into_iter()
        .map_while(|Looked { memories, word, read }| {
            ranked += memories;
            (ranked <= RANKED).then_some((word, read))
        })
        .unzip();
    if rare.is_empty() {
        let from = newest_matches(database, &all)?;
        return Ok(Choice { all, rare, from, read: None });
    }
    Ok(Choice { all, rare, from: i64::MIN, read: read.into_iter().collect() })
}

/// In how many memories `word` stands, and the form it is counted in: a word that is common as
/// it stands does not stand for longer ones too, nor does one whose longer ones are common.
fn affordable(database: &Connection, known: &Known, word: Word) -> Result<Looked> {
    let looked = |memories, word, read| Ok(Looked { memories, word, read });
    let number = |read: &Occurrences| i64::try_from(read.holders.len()).unwrap_or(COMMON);
    // A list that was read is a count too.
    if let Some(read) = list(database, known, &word)? {
        return looked(number(&read), word, Some(read));
    }
    let whole = word.whole();
    let read = if word.begins_others() { list(database, known, &whole)? } else { None };
    let exactly = match &read {
        Some(read) => number(read),
        None => count(database, known, &whole)?,
    };
    if exactly == COMMON || !word.begins_others() {
        return looked(exactly, whole, read);
    }
    let beginning = count(database, known, &word)?;
    if beginning == COMMON && exactly > 0 {
        return looked(exactly, whole, read);
    }
    looked(beginning, word, None)
}

/// Where `word` stands, when that is a short list and the word is one that can be looked up.
fn list(database: &Connection, known: &Known, word: &Word) -> Result<Option<Occurrences>> {
    let Some(span) = word.span() else { return Ok(None) };
    if known.of(word).is_some() {
        return Ok(None);
    }
    let moment = known.moment();
    let read = occurrences::read(database, &span)?;
    if read.is_none() {
        known.learn(word, Fact::Long, moment);
    }
    Ok(read)
}

/// Memories with `word`; [`COMMON`] stands for that and more.
fn count(database: &Connection, known: &Known, word: &Word) -> Result<i64> {
    if known.of(word) == Some(Fact::Common) {
        return Ok(COMMON);
    }
    let moment = known.moment();
    let mut statement = database
        .prepare_cached("SELECT count(*) FROM (SELECT 1 FROM word WHERE word MATCH ?1 LIMIT ?2)")?;
    let expression = words::expression(std::slice::from_ref(word));
    let memories = statement.query_row((expression, COMMON), |row| row.get(0))?;
    if memories == COMMON {
        known.learn(word, Fact::Common, moment);
    }
    Ok(memories)
}

/// The oldest of the [`COMMON`] newest memories with any of `words`.
fn newest_matches(database: &Connection, words: &[Word]) -> Result<i64> {
    let from: Option<i64> = database
        .prepare_cached(
            "SELECT min(rowid) FROM
             (SELECT rowid FROM word WHERE word MATCH ?1 ORDER BY rowid DESC LIMIT ?2)",
        )?
        .query_row((words::expression(words), COMMON), |row| row.get(0))?;
    Ok(from.unwrap_or(i64::MIN))
}
