//! What was learnt of words, so that it is not counted again for every query.
//!
//! A word that was found in thousands of memories stays common while memories are added; only
//! what is changed or removed can make it rarer. So a fact is good until so much was removed
//! that it may be wrong by a tenth, whoever asks and whatever was written.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{choice::COMMON, words::Word};

/// Facts that are kept; they start anew when there are more.
const MOST: usize = 1_024;
/// Memories that may change before a fact is asked for again.
const TOLERATED: u64 = COMMON.unsigned_abs() / 10;

/// Why a word's list of occurrences is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fact {
    /// It is long.
    Long,
    /// It stands in [`COMMON`] memories or more.
    Common,
}

/// Facts about the words of one open database.
#[derive(Debug, Default)]
pub(super) struct Known {
    facts: Mutex<HashMap<Word, (Fact, u64)>>,
    removed: AtomicU64,
}

impl Known {
    /// So many memories were changed or removed, in a commit that is done.
    pub(super) fn note_removed(&self, memories: u64) {
        self.removed.fetch_add(memories, Ordering::Release);
    }

    /// To be asked before a word is looked at, and told with what was found.
    pub(super) fn moment(&self) -> u64 {
        self.removed.load(Ordering::Acquire)
    }

    /// What is known of `word`.
    pub(super) fn of(&self, word: &Word) -> Option<Fact> {
        let now = self.moment();
        let facts = self.facts();
        facts
            .get(word)
            .filter(|(_, at)| now.saturating_sub(*at) <= TOLERATED)
            .map(|(fact, _)| *fact)
    }

    /// Remembers what was found at `moment`.
    pub(super) fn learn(&self, word: &Word, fact: Fact, moment: u64) {
        let mut facts = self.facts();
        if facts.len() >= MOST {
            facts.clear();
        }
        facts.insert(word.clone(), (fact, moment));
    }

    fn facts(&self) -> MutexGuard<'_, HashMap<Word, (Fact, u64)>> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::words;

    #[test]
    fn a_fact_holds_until_too_much_was_removed() {
        let known = Known::default();
        let words = words::parse("the needle").unwrap();
        let [the, needle] = &words[..] else { panic!("two words") };
        let moment = known.moment();
        known.note_removed(1);
        known.learn(the, Fact::Common, moment);
        assert_eq!((known.of(the), known.of(needle)), (Some(Fact::Common), None));
        assert_eq!(known.of(&the.whole()), None, "another form is another word");
        known.note_removed(TOLERATED - 1);
        assert_eq!(known.of(the), Some(Fact::Common));
        known.note_removed(1);
        assert_eq!(known.of(the), None);
    }

    #[test]
    fn facts_are_bounded() {
        let known = Known::default();
        for i in 0..3 * MOST {
            let words = words::parse(&i.to_string()).unwrap();
            known.learn(&words[0], Fact::Long, 0);
        }
        assert!(known.facts().len() <= MOST);
    }
}
