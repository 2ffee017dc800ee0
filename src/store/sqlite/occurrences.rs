//! Where a word stands: the index's own list of one word's occurrences, read once.
//!
//! FTS5 looks a word up twice to rank by it, once for the matches and once for the number of
//! them, and again for every part of the expression. A rare word's list is short, so it is read
//! whole, with the lengths that ranking needs, and everything else is arithmetic. What is long
//! is left to FTS5, whose lists cost less for each entry.

use rusqlite::Connection;

use super::words::Span;
use crate::domain::Result;

/// Longer lists are not read.
pub(super) const MOST: i64 = 5_000;

/// What a word in that field is worth: one in a name or a tag tells more than one in a long text.
/// The columns of `word` in their order, which is also the order of their names here.
const WEIGHTS: [(&str, f64); 5] =
    [("filename", 3.0), ("description", 2.0), ("content", 1.0), ("response", 1.0), ("tags", 3.0)];

/// `term` is sorted, and so are the memories of each term.
const OCCURRENCES: &str = "
    SELECT term.doc, term.col, term.term, word_docsize.sz
    FROM term CROSS JOIN word_docsize ON word_docsize.id = term.doc
    WHERE term.term BETWEEN ?1 AND ?2 LIMIT ?3";

/// A memory that holds a word.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Holder {
    pub(super) n: i64,
    /// Words in the whole memory.
    pub(super) length: f64,
    /// How often the word stands there as it is, weighted by field.
    pub(super) exactly: f64,
    /// The same for every word that begins like it.
    pub(super) beginning: f64,
}

/// Every memory with one word of a query, by number.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Occurrences {
    pub(super) holders: Vec<Holder>,
    /// Whether longer words were looked for.
    pub(super) begins: bool,
}

/// Reads the list of `span`; `None` when it is longer than [`MOST`].
pub(super) fn read(database: &Connection, span: &Span<'_>) -> Result<Option<Occurrences>> {
    let mut statement = database.prepare_cached(OCCURRENCES)?;
    let mut rows = statement.query((span.from, &span.to, MOST + 1))?;
    let mut holders: Vec<Holder> = Vec::new();
    let mut read = 0;
    let mut sorted = true;
    while let Some(row) = rows.next()? {
        read += 1;
        if read > MOST {
            return Ok(None);
        }
        let n = row.get(0)?;
        let weight = weight(row.get_ref(1)?.as_bytes().map_err(rusqlite::Error::from)?);
        let term = row.get_ref(2)?.as_bytes().map_err(rusqlite::Error::from)?;
        let exactly = if term == span.exactly.as_bytes() { weight } else { 0.0 };
        match holders.last_mut() {
            Some(last) if last.n == n => {
                last.exactly += exactly;
                last.beginning += weight;
            }
            last => {
                sorted &= last.is_none_or(|last| last.n < n);
                let length = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
                holders.push(Holder {
                    n,
                    length: sum(varints(length)),
                    exactly,
                    beginning: weight,
                });
            }
        }
    }
    if !sorted {
        holders.sort_by_key(|holder| holder.n);
        holders.dedup_by(|next, first| {
            let same = next.n == first.n;
            if same {
                first.exactly += next.exactly;
                first.beginning += next.beginning;
            }
            same
        });
    }
    Ok(Some(Occurrences { holders, begins: span.begins }))
}

fn weight(column: &[u8]) -> f64 {
    WEIGHTS.iter().find(|(name, _)| name.as_bytes() == column).map_or(1.0, |(_, weight)| *weight)
}

/// A sum that a damaged file cannot make overflow.
pub(super) fn sum(numbers: impl Iterator<Item = u64>) -> f64 {
    numbers.fold(0, u64::saturating_add) as f64
}

/// SQLite's numbers of varying length, one after the other: seven bits a byte, the highest first,
/// and eight in the ninth.
pub(super) fn varints(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let mut bytes = bytes.iter();
    std::iter::from_fn(move || {
        let mut value = 0_u64;
        for place in 0..9 {
            let byte = u64::from(*bytes.next()?);
            if place == 8 {
                return Some(value << 8 | byte);
            }
            value = value << 7 | (byte & 0x7f);
            if byte < 0x80 {
                break;
            }
        }
        Some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_are_read() {
        let bytes = [&[0, 0x7f, 0x81, 0x00][..], &[0xff; 9], &[0x82, 0x80, 0x05, 0x80]].concat();
        let numbers: Vec<u64> = varints(&bytes).collect();
        assert_eq!(numbers, [0, 127, 128, u64::MAX, 0x8005], "and what is cut off is none");
    }
}
