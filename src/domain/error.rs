//! One error with two messages: what the caller may read, and what the operator needs.
//!
//! [`Kind`] says what happened in words of no protocol; the rooms `mcp`, `http` and `cli` each
//! hold one small table from it to a JSON-RPC code, a status or an exit code.

use std::{borrow::Cow, fmt, time::Duration};

use super::{limits::Reached, scope::Scope};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, independent of protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The input breaks a rule; the public message says which.
    BadInput,
    /// No valid credential. The public message is always the same.
    Unauthenticated,
    /// A known caller may not do this.
    Forbidden,
    /// A known caller's token lacks this scope; another token of the same caller may have it.
    ScopeMissing(Scope),
    /// There is no such thing, or it belongs to somebody else (I4: never told apart).
    NotFound,
    /// It exists already, or somebody else changed it first.
    Conflict,
    /// Larger than a size limit allows.
    TooLarge,
    /// A rate or count limit was reached.
    LimitReached(Reached),
    /// The server is full or draining.
    Overloaded {
        /// When a retry can succeed.
        retry_after: Duration,
    },
    /// A deadline passed.
    Timeout,
    /// Something memgate depends on is broken or gone: a database, a file, a certificate.
    Unavailable,
    /// A bug, or a fault without a better name.
    Internal,
}

/// An error: its [`Kind`], the sentence for outside, and the cause for inside.
pub struct Error {
    kind: Kind,
    public: Cow<'static, str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error whose public sentence is `public`: lowercase, no full stop, no secret.
    pub fn new(kind: Kind, public: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, public: public.into(), source: None }
    }

    /// The input breaks a rule; `public` says which.
    pub fn bad_input(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::BadInput, public)
    }

    /// There is no such `thing` for this caller.
    #[must_use]
    pub fn not_found(thing: &str) -> Self {
        Self::new(Kind::NotFound, format!("{thing} not found"))
    }

    /// This caller may not do it.
    pub fn forbidden(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Forbidden, public)
    }

    /// A bug or a fault: the outside reads a fixed sentence, the log reads `cause`.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(Kind::Internal, "internal error").caused_by(cause)
    }

    /// A dependency is broken: the outside reads a fixed sentence, the log reads `cause`.
    pub fn unavailable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(Kind::Unavailable, "temporarily unavailable").caused_by(cause)
    }

    /// Adds the inside cause.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }

    /// What happened.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The sentence that may leave the process.
    #[must_use]
    pub fn public(&self) -> &str {
        &self.public
    }
}

/// The inside view, for logs and for the operator's terminal: sentence and causes.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public)?;
        let mut cause = self.source.as_ref().map(|s| s.as_ref() as &dyn std::error::Error);
        while let Some(inner) = cause {
            write!(f, ": {inner}")?;
            cause = inner.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|s| s.as_ref() as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outside_never_reads_the_cause() {
        let error = Error::internal("disk /secret/path is broken");
        assert_eq!(error.public(), "internal error");
        assert!(error.to_string().contains("/secret/path"));
    }
}
