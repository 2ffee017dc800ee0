//! A stored memory in an answer: what every tool says of one, in structure and in text.
//!
//! Owns the provenance that each memory carries (`written_by`, `client`, `created_at`) and the
//! list lines Memento's users know. The structure is exact; the text is made safe to show
//! ([`fence`]).

use std::fmt::Write;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::fence;
use crate::domain::memory::{Author, Memory, MemoryId, MemoryKind, Tag};

/// So much of a text stands in a list.
pub const EXCERPT_CHARS: usize = 300;

/// One memory, without its whole text.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Entry {
    /// Use it with the other tools.
    #[schemars(with = "String")]
    pub memory_id: MemoryId,
    /// The name its writer gave it.
    pub filename: String,
    /// note, conversation, `user_knowledge` or `assistant_knowledge`.
    #[schemars(with = "String")]
    pub memory_type: MemoryKind,
    /// One line about it, may be empty.
    pub description: String,
    /// Labels.
    #[schemars(with = "Vec<String>")]
    pub tags: Vec<Tag>,
    /// Bytes of text.
    pub size_bytes: usize,
    /// When it was stored.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub updated_at: Timestamp,
    /// The id of the key that wrote it.
    pub written_by: String,
    /// What the writing client called itself.
    pub client: String,
    /// It contains characters that a reader cannot see.
    pub hidden_characters: bool,
    /// The beginning of the text, in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
}

impl Entry {
    /// What is known of `memory`.
    #[must_use]
    pub fn of(memory: &Memory) -> Self {
        Self {
            memory_id: memory.id.clone(),
            filename: memory.filename.clone(),
            memory_type: memory.kind,
            description: memory.description.clone(),
            tags: memory.tags.clone(),
            size_bytes: memory.size(),
            created_at: memory.created_at,
            updated_at: memory.updated_at,
            written_by: memory.author.key.as_str().to_owned(),
            client: client(&memory.author),
            hidden_characters: hides_something(memory),
            excerpt: None,
        }
    }

    /// The same with the beginning of the text.
    #[must_use]
    pub fn with_excerpt(memory: &Memory) -> Self {
        let (excerpt, _) = fence::beginning(&memory.content, EXCERPT_CHARS);
        Self { excerpt: Some(excerpt.to_owned()), ..Self::of(memory) }
    }
}

/// The lines of one memory in a numbered list.
#[must_use]
pub fn lines(number: usize, memory: &Memory) -> String {
    let mut text = format!("{number}. {}\n", fence::plain(&memory.filename));
    // Writing to a `String` cannot fail.
    let _ = writeln!(text, "   Stored: {}", time(memory.created_at));
    let _ = writeln!(text, "   Size: {} bytes", memory.size());
    if !memory.description.is_empty() {
        let _ = writeln!(text, "   Description: {}", fence::line(&memory.description));
    }
    if !memory.tags.is_empty() {
        let _ = writeln!(text, "   Tags: {}", tags(&memory.tags));
    }
    let (excerpt, cut) = fence::beginning(&memory.content, EXCERPT_CHARS);
    let rest = if cut { " …" } else { "" };
    let _ = writeln!(text, "   Excerpt: {}{rest}", fence::line(excerpt));
    let _ = writeln!(text, "   Written by: {}", author(&memory.author));
    let _ = writeln!(text, "   ID: {}", memory.id);
    text
}

/// Tags on one line.
#[must_use]
pub fn tags(tags: &[Tag]) -> String {
    tags.iter().map(|tag| fence::plain(tag.as_str())).collect::<Vec<_>>().join(", ")
}

/// A time as lists show it, in UTC.
#[must_use]
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Who wrote it, on one line.
#[must_use]
pub fn author(author: &Author) -> String {
    let client = client(author);
    if client.is_empty() {
        format!("key {}", author.key)
    } else {
        format!("{} (key {})", fence::plain(&client), author.key)
    }
}

/// What the writing client called itself: name and version.
#[must_use]
pub fn client(author: &Author) -> String {
    let text = format!("{} {}", author.client.name, author.client.version);
    text.trim().to_owned()
}

/// Does any part of it hold characters that a reader cannot see?
#[must_use]
pub fn hides_something(memory: &Memory) -> bool {
    fence::hides_something(&memory.content)
        || memory.response.as_deref().is_some_and(fence::hides_something)
        || fence::hides_something(&memory.description)
        || fence::hides_something(&memory.filename)
        || memory.tags.iter().any(|tag| fence::hides_something(tag.as_str()))
}
