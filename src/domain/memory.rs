//! A memory and the questions asked of many: what the tools and the store speak of.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Error, Result, client::ClientInfo, key::KeyId, tenant::text};

/// The longest memory id, in bytes.
pub const MAX_ID_BYTES: usize = 200;
/// The longest tag, in bytes.
pub const MAX_TAG_BYTES: usize = 100;
/// The most tags on one memory.
pub const MAX_TAGS: usize = 50;

/// A memory's id, unique within its tenant: `YYYYMMDD_HHMMSS_<file name>`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct MemoryId(Box<str>);

impl MemoryId {
    /// Reads an id: 1 to 200 bytes of `A-Z a-z 0-9 . _ -`, not starting with a dot.
    ///
    /// # Errors
    /// Everything else; the message does not tell whether such a memory could exist.
    pub fn parse(text: &str) -> Result<Self> {
        let fits = (1..=MAX_ID_BYTES).contains(&text.len())
            && !text.starts_with('.')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if fits { Ok(Self(text.into())) } else { Err(Error::bad_input("not a memory id")) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
text!(MemoryId);

/// What sort of memory it is. `MemoryOS` calls the last three its `memory_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemoryKind {
    /// A text that somebody stored under a file name (Memento).
    Note,
    /// A question and its answer.
    Conversation,
    /// A fact about the user.
    UserKnowledge,
    /// A fact the assistant keeps about its own work.
    AssistantKnowledge,
}

impl MemoryKind {
    /// Every kind.
    pub const ALL: [Self; 4] =
        [Self::Note, Self::Conversation, Self::UserKnowledge, Self::AssistantKnowledge];

    /// The name in the database and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Conversation => "conversation",
            Self::UserKnowledge => "user_knowledge",
            Self::AssistantKnowledge => "assistant_knowledge",
        }
    }
}

impl fmt::Display for MemoryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A tag: trimmed, 1 to 100 bytes, no comma, no control character; case is kept and ignored
/// in comparison.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Tag(Box<str>);

impl Tag {
    /// Reads a tag.
    ///
    /// # Errors
    /// Names the rule it breaks.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.is_empty()
            || text.len() > MAX_TAG_BYTES
            || text.contains(|c: char| c == ',' || c.is_control())
        {
            return Err(Error::bad_input(
                "a tag is 1 to 100 bytes of text without commas or control characters",
            ));
        }
        Ok(Self(text.into()))
    }

    /// The tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What tags are compared by.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}
text!(Tag);

/// Who wrote a memory: the key, and what its client called itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Author {
    /// The key that wrote it.
    pub key: KeyId,
    /// The client's claim.
    pub client: ClientInfo,
}

/// A memory to be stored.
#[derive(Debug, Clone)]
pub struct NewMemory {
    /// What sort it is.
    pub kind: MemoryKind,
    /// The name its writer gave it; the store makes the id from it.
    pub filename: String,
    /// One line about it.
    pub description: String,
    /// The text, or the user's side of a conversation.
    pub content: String,
    /// The agent's side of a conversation.
    pub response: Option<String>,
    /// Labels.
    pub tags: Vec<Tag>,
    /// Who wrote it.
    pub author: Author,
}

/// A stored memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Unique within the tenant.
    pub id: MemoryId,
    /// What sort it is.
    pub kind: MemoryKind,
    /// The name its writer gave it.
    pub filename: String,
    /// One line about it.
    pub description: String,
    /// The text, or the user's side of a conversation.
    pub content: String,
    /// The agent's side of a conversation.
    pub response: Option<String>,
    /// Labels, in the order given, without repeats.
    pub tags: Vec<Tag>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who wrote it.
    pub author: Author,
}

impl Memory {
    /// Bytes of text, both sides of a conversation.
    #[must_use]
    pub fn size(&self) -> usize {
        self.content.len() + self.response.as_ref().map_or(0, String::len)
    }
}

/// A change to a memory; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct MemoryPatch {
    /// New text.
    pub content: Option<String>,
    /// New name (the id stays).
    pub filename: Option<String>,
    /// New description.
    pub description: Option<String>,
    /// New tags, all of them.
    pub tags: Option<Vec<Tag>>,
}

/// A question to a tenant's memories. Without `text` the newest come first; with it, the best.
#[derive(Debug, Clone)]
pub struct Query {
    /// Words to look for; never a query language.
    pub text: Option<String>,
    /// Only these kinds; empty means all.
    pub kinds: Vec<MemoryKind>,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Older than this.
    pub before: Option<Timestamp>,
    /// Only with this tag.
    pub tag: Option<Tag>,
    /// At most so many.
    pub limit: usize,
    /// Skip so many: the continuation of an earlier answer.
    pub offset: usize,
}

impl Query {
    /// The newest `limit` memories of every kind.
    #[must_use]
    pub fn newest(limit: usize) -> Self {
        Self {
            text: None,
            kinds: Vec::new(),
            since: None,
            before: None,
            tag: None,
            limit,
            offset: 0,
        }
    }
}

/// A memory that answers a [`Query`].
#[derive(Debug, Clone, Serialize)]
pub struct Hit {
    /// The memory.
    pub memory: Memory,
    /// Larger is better; 0 for a query without text.
    pub score: f64,
}

/// The answer to a [`Query`].
#[derive(Debug, Clone)]
pub struct Hits {
    /// At most `limit`, best or newest first.
    pub hits: Vec<Hit>,
    /// Whether a further page exists.
    pub more: bool,
}

/// What one tenant has stored.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Usage {
    /// Memories.
    pub memories: u64,
    /// Bytes of their text.
    pub bytes: u64,
    /// Different tags, in alphabetical order, with how many memories carry each.
    pub tags: Vec<(String, u64)>,
    /// The first memory's time.
    pub oldest: Option<Timestamp>,
    /// The newest memory's time.
    pub newest: Option<Timestamp>,
}
