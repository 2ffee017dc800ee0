//! Which words of a query are worth ranking.
//!
//! Ranking costs some microseconds for every memory that holds a word. A word that stands in
//! thousands of memories says little about any one of them and would cost more time than a query
//! has, so in a large store the rare words decide. In a small store all words count.

use rusqlite::Connection;

use super::words::{self, Word};
use crate::domain::Result;

/// A word in so many memories is common.
const COMMON: i64 = 5_000;
/// So many memories are ranked by the rare words together, at most.
const RANKED: i64 = 20_000;

/// How a query is to be answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// Every word, in the form in which it can be afforded.
    pub(super) all: Vec<Word>,
    /// The words that decide; empty when every word is common, or when all are affordable.
    pub(super) rare: Vec<Word>,
    /// Without rare words: the memory from which on all words are ranked.
    pub(super) from: i64,
}

/// Looks at how often each word stands in the store, up to [`COMMON`].
pub(super) fn choose(database: &Connection, words: Vec<Word>) -> Result<Choice> {
    // Numbers grow with every memory, so the newest bounds the count.
    let newest: Option<i64> =
        database.prepare_cached("SELECT max(n) FROM memory")?.query_row([], |row| row.get(0))?;
    if newest.is_none_or(|n| n <= COMMON) {
        return Ok(Choice { all: words, rare: Vec::new(), from: i64::MIN });
    }
    let mut counted = words
        .into_iter()
        .map(|word| affordable(database, word))
        .collect::<Result<Vec<(i64, Word)>>>()?;
    let all: Vec<Word> = counted.iter().map(|(_, word)| word.clone()).collect();
    counted.retain(|(memories, _)| (1..COMMON).contains(memories));
    counted.sort_by_key(|(memories, _)| *memories);
    let mut ranked = 0;
    let rare: Vec<Word> = counted
        .into_iter()
        .map_while(|(memories, word)| {
            ranked += memories;
            (ranked <= RANKED).then_some(word)
        })
        .collect();
    let from = if rare.is_empty() { newest_matches(database, &all)? } else { i64::MIN };
    Ok(Choice { all, rare, from })
}

/// In how many memories `word` stands, and the form it is counted in: a word that is common as
/// it stands does not stand for longer ones too, nor does one whose longer ones are common.
fn affordable(database: &Connection, word: Word) -> Result<(i64, Word)> {
    let whole = word.whole();
    let exactly = count(database, &whole)?;
    if exactly == COMMON || !word.begins_others() {
        return Ok((exactly, whole));
    }
    let beginning = count(database, &word)?;
    if beginning == COMMON && exactly > 0 {
        return Ok((exactly, whole));
    }
    Ok((beginning, word))
}

/// Memories with `word`; [`COMMON`] stands for that and more.
fn count(database: &Connection, word: &Word) -> Result<i64> {
    let mut statement = database
        .prepare_cached("SELECT count(*) FROM (SELECT 1 FROM word WHERE word MATCH ?1 LIMIT ?2)")?;
    let expression = words::expression(std::slice::from_ref(word));
    Ok(statement.query_row((expression, COMMON), |row| row.get(0))?)
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
