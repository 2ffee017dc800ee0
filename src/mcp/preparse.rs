//! The strict look at a request body, before the protocol library sees it.
//!
//! One pass over the bytes decides whether they are exactly one JSON-RPC message that every
//! reader understands in the same way, and picks out what the gateway needs, so that nothing is
//! parsed twice to make a decision. A parser that takes the last of two equal keys, or forgives
//! a spelling, would let a caller show one thing to a check and another to a tool.
//!
//! SECURITY: what passes here must also be read by `serde_json` (test
//! `preparse_vs_serde`), and no sentence of a parser ever reaches a caller.

mod message;
mod scan;

pub use message::{ClientClaim, Kind, Message};

/// Nested deeper than this is refused; the message itself is level 1.
pub const MAX_DEPTH: u32 = 32;
/// More keys than this in one object are refused.
pub const MAX_KEYS: usize = 1000;
/// The longest text `id`, in bytes.
pub const MAX_ID_BYTES: usize = 256;
/// The longest `method`, in bytes.
pub const MAX_METHOD_BYTES: usize = 128;

/// Why a body is not a message; each has one fixed sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Not JSON: syntax, encoding, a number nobody can hold, bytes after the end.
    NotJson,
    /// An array of messages.
    Batch,
    /// JSON, but not an object.
    NotAnObject,
    /// One key twice in an object.
    DuplicateKey,
    /// Deeper than [`MAX_DEPTH`].
    TooDeep,
    /// More than [`MAX_KEYS`] keys.
    TooManyKeys,
    /// A known key in other letters, `Method` for `method`.
    CaseVariant,
    /// `jsonrpc` is not exactly `"2.0"`.
    Version,
    /// `id` is neither a text of at most [`MAX_ID_BYTES`] nor a 64-bit integer.
    Id,
    /// `method` is not a text of at most [`MAX_METHOD_BYTES`].
    Method,
    /// `params` or `params._meta` is not an object.
    Params,
    /// Neither a request, nor a notification, nor a response.
    Shape,
}

impl Flaw {
    /// The JSON-RPC error code.
    #[must_use]
    pub fn code(self) -> i32 {
        if self == Self::NotJson { -32700 } else { -32600 }
    }

    /// The sentence for the caller.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NotJson => "the body is not valid JSON in UTF-8",
            Self::Batch => "batches are not supported: send one message in one request",
            Self::NotAnObject => "a JSON-RPC message is an object",
            Self::DuplicateKey => "a key appears twice in one object",
            Self::TooDeep => "nested deeper than 32 levels",
            Self::TooManyKeys => "more than 1000 keys in one object",
            Self::CaseVariant => "a key is written in the wrong letters: names are case-sensitive",
            Self::Version => "`jsonrpc` must be \"2.0\"",
            Self::Id => "`id` must be an integer or a text of at most 256 bytes",
            Self::Method => "`method` must be a text of at most 128 bytes",
            Self::Params => "`params` and `params._meta` must be objects",
            Self::Shape => {
                "not a message: a request has `method` and `id`, a response `id` and either \
                 `result` or `error`"
            }
        }
    }
}

/// Reads one message.
///
/// # Errors
/// The first [`Flaw`] met. Whatever the bytes are, it returns (a fuzz target holds this), in
/// time proportional to their number.
pub fn read(body: &[u8]) -> Result<Message<'_>, Flaw> {
    let text = std::str::from_utf8(body).map_err(|_| Flaw::NotJson)?;
    message::read(scan::Scanner::new(text))
}

#[cfg(test)]
mod tests;
