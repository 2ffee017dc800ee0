//! Who owns a memory: the id that names a directory, and the label that people read.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Error, Result,
    random::{self, Entropy},
};

/// The longest label, in bytes.
pub const MAX_LABEL_BYTES: usize = 63;

/// A tenant's id. memgate makes it, nobody chooses it, and it is safe as a path component
/// because nothing but `t_` and twenty characters of base32 parses.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TenantId(Box<str>);

impl TenantId {
    /// A new, random id (100 bits).
    #[must_use]
    pub fn random(entropy: &dyn Entropy) -> Self {
        Self(format!("t_{}", random::token(entropy, 20)).into())
    }

    /// Reads an id that memgate wrote earlier.
    ///
    /// # Errors
    /// Everything that [`TenantId::random`] could not have made.
    pub fn parse(text: &str) -> Result<Self> {
        let fits = text.strip_prefix("t_").is_some_and(|rest| {
            rest.len() == 20 && rest.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
        });
        if fits { Ok(Self(text.into())) } else { Err(Error::bad_input("not a tenant id")) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A tenant's name, as people and `user_id` arguments write it:
/// `^[a-z0-9][a-z0-9_-]{0,62}$`. It is shown, compared and configured, and never part of a path.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TenantLabel(Box<str>);

impl TenantLabel {
    /// Reads a label. Nothing is cleaned up: what does not fit is refused, so that two names
    /// can never fall together.
    ///
    /// # Errors
    /// Names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self> {
        let mut bytes = text.bytes();
        let fits = bytes.next().is_some_and(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
            && bytes
                .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase() || b == b'_' || b == b'-')
            && text.len() <= MAX_LABEL_BYTES;
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(Error::bad_input(
                "a tenant name is 1 to 63 characters of a-z, 0-9, `_` and `-`, and starts with a \
                 letter or a digit",
            ))
        }
    }

    /// The label as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A tenant as the control plane knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tenant {
    /// Names the directory.
    pub id: TenantId,
    /// Names the tenant to people; unique.
    pub label: TenantLabel,
    /// When it was made.
    pub created_at: Timestamp,
}

macro_rules! text {
    ($($name:ident)+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
                let text = std::borrow::Cow::<'_, str>::deserialize(from)?;
                Self::parse(&text).map_err(|e| serde::de::Error::custom(e.public()))
            }
        }
    )+};
}
pub(in crate::domain) use text;
text!(TenantId TenantLabel);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::random::OsEntropy;

    #[test]
    fn a_random_id_parses() {
        let id = TenantId::random(&OsEntropy);
        assert_eq!(TenantId::parse(id.as_str()).unwrap(), id);
    }

    #[test]
    fn labels_are_never_cleaned_up() {
        for bad in ["", "A", "a.b", "a/b", "../a", "a b", "-a", "_a", "ä", "a\0", "a@b", "a%2f"] {
            assert!(TenantLabel::parse(bad).is_err(), "{bad:?}");
        }
        assert!(TenantLabel::parse(&"a".repeat(64)).is_err());
        assert!(TenantLabel::parse(&"a".repeat(63)).is_ok());
    }

    proptest! {
        #[test]
        fn no_text_that_parses_can_leave_a_directory(text in "\\PC{0,80}") {
            for parsed in [TenantLabel::parse(&text).is_ok(), TenantId::parse(&text).is_ok()] {
                if parsed {
                    prop_assert!(!text.contains(['/', '\\', '.', '\0', '%', ':']));
                }
            }
        }
    }
}
