//! The name of a rate that the settings define and keys refer to.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Error, Result, tenant::text};

/// The longest name, in bytes.
const MAX_BYTES: usize = 32;

/// A name in `limits.classes`: 1 to 32 characters of a-z, 0-9, `_` and `-`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RateClass(Box<str>);

impl RateClass {
    /// Reads a name.
    ///
    /// # Errors
    /// Names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        if (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(plain) {
            return Ok(Self(text.into()));
        }
        Err(Error::bad_input("a rate class is 1 to 32 characters of a-z, 0-9, `_` and `-`"))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
text!(RateClass);
