//! What is known about a user, in lines that each name the memory they come from.
//!
//! No model takes part: a line is a stored fact, shortened. So a profile can say nothing that
//! nobody stored, and every line of it can be looked up, corrected or deleted.

use std::{cmp::Reverse, fmt::Write};

use super::{fence, page};
use crate::domain::memory::{Memory, Usage};

/// Tags that a profile names.
const TOP_TAGS: usize = 10;

/// The facts, a line each.
#[must_use]
pub fn facts<'a>(memories: impl IntoIterator<Item = &'a Memory>) -> String {
    let lines: Vec<_> = memories.into_iter().map(page::line).collect();
    lines.join("\n")
}

/// What the counts tell: how much there is, and what most of it is about.
#[must_use]
pub fn counts(usage: &Usage) -> String {
    let mut text = format!("Total memories: {}", usage.memories);
    let mut tags: Vec<_> = usage.tags.iter().collect();
    // Alphabetical among equals, as `Usage` has them: the sort is stable.
    tags.sort_by_key(|(_, memories)| Reverse(*memories));
    let tags: Vec<_> = tags
        .iter()
        .take(TOP_TAGS)
        .map(|(tag, memories)| format!("{} ({memories})", fence::plain(tag)))
        .collect();
    if !tags.is_empty() {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "\nMost used tags: {}", tags.join(", "));
    }
    text
}
