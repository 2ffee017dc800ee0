//! Ranking for a key that sees some of the memories.
//!
//! SECURITY: the order of an answer tells how rare its words are. Were that counted over all
//! memories, a key could store two of its own, search for both, and read from their order whether a
//! memory out of its reach holds a word, letter by letter. So nothing is counted here but what is
//! in reach: words, memories, and which words are common (I4, test
//! `i4_the_order_of_an_answer_tells_nothing_of_what_is_out_of_reach`).
//!
//! A memory is worth the sum of what its words are worth; how often and where a word stands in it
//! does not count. The index's lists are read whole, so in a large store a common word takes time,
//! within the deadline of every query.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::{
    rank::{Ranked, best_first, rarity},
    words::{self, Word},
};
use crate::domain::Result;

const REACHED: &str = "SELECT memory FROM tag WHERE folded IN (SELECT value FROM json_each(?1))";
const HOLDERS: &str = "SELECT rowid FROM word WHERE word MATCH ?1";

/// The memories in `reach` (tags as a JSON array) with any of the words, the best first.
pub(super) fn rank(database: &Connection, words: &[Word], reach: &str) -> Result<Vec<Ranked>> {
    let reached: HashSet<i64> = numbers(database, REACHED, reach, |_| true)?.into_iter().collect();
    let mut scores = HashMap::new();
    for word in words {
        // As it stands, and then again with the words that begin like it: the whole word counts
        // for more.
        let longer = word.begins_others().then(|| word.clone());
        for form in [word.whole()].into_iter().chain(longer) {
            let expression = words::expression(&[form]);
            let holders = numbers(database, HOLDERS, &expression, |n| reached.contains(n))?;
            let worth = rarity(reached.len() as f64, holders.len());
            for n in holders {
                *scores.entry(n).or_insert(0.0) += worth;
            }
        }
    }
    Ok(best_first(scores))
}

fn numbers(
    database: &Connection,
    sql: &'static str,
    argument: &str,
    keep: impl Fn(&i64) -> bool,
) -> Result<Vec<i64>> {
    let mut statement = database.prepare_cached(sql)?;
    let mut rows = statement.query([argument])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let n = row.get(0)?;
        if keep(&n) {
            found.push(n);
        }
    }
    Ok(found)
}
