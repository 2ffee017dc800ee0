//! BM25 over occurrences that were read: FTS5's own formula and weights, so that it makes no
//! difference to the answer which of the two ranked. Held by `both_rankings_agree`.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _};

use super::occurrences::{Occurrences, sum, varints};
use crate::domain::Result;

/// How soon a further occurrence of a word in a memory tells nothing new.
const K1: f64 = 1.2;
/// How much a long memory's occurrences count for less.
const B: f64 = 0.75;
/// What a word that most memories hold is worth.
const LEAST: f64 = 1e-6;

/// A memory and what it is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ranked {
    pub(super) n: i64,
    /// Larger is better.
    pub(super) score: f64,
}

/// All memories with any of the words, the best first; of equals the newest.
pub(super) fn rank(database: &Connection, words: &[Occurrences]) -> Result<Vec<Ranked>> {
    let Some((memories, average)) = averages(database)? else { return Ok(Vec::new()) };
    let room = words.iter().map(|word| word.holders.len()).sum();
    let mut scores: HashMap<i64, f64> = HashMap::with_capacity(room);
    for word in words {
        let exactly = rarity(memories, word.holders.iter().filter(|h| h.exactly > 0.0).count());
        let beginning = rarity(memories, word.holders.len());
        for holder in &word.holders {
            let length = K1 * (1.0 - B + B * holder.length / average);
            let worth = |often: f64| often * (K1 + 1.0) / (often + length);
            let score = scores.entry(holder.n).or_insert(0.0);
            *score += exactly * worth(holder.exactly);
            if word.begins {
                *score += beginning * worth(holder.beginning);
            }
        }
    }
    Ok(best_first(scores))
}

/// What a word is worth that `holders` of so many `memories` have.
pub(super) fn rarity(memories: f64, holders: usize) -> f64 {
    let holders = holders as f64;
    let idf = ((memories - holders + 0.5) / (holders + 0.5)).ln();
    if idf <= 0.0 { LEAST } else { idf }
}

/// The best first; of equals the newest.
pub(super) fn best_first(scores: HashMap<i64, f64>) -> Vec<Ranked> {
    let mut ranked: Vec<_> = scores.into_iter().map(|(n, score)| Ranked { n, score }).collect();
    ranked.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(b.n.cmp(&a.n)));
    ranked
}

/// How many memories the index knows, and how many words they have on average.
fn averages(database: &Connection) -> Result<Option<(f64, f64)>> {
    let mut statement = database.prepare_cached("SELECT block FROM word_data WHERE id = 1")?;
    let sums = statement
        .query_row([], |row| {
            let mut numbers = varints(row.get_ref(0)?.as_blob()?);
            let memories = numbers.next().unwrap_or(0);
            Ok((memories as f64, sum(numbers)))
        })
        .optional()?;
    Ok(sums
        .filter(|(memories, words)| *memories > 0.0 && *words > 0.0)
        .map(|(memories, words)| (memories, words / memories)))
}
