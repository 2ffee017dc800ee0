//! Where policies come from.

use std::path::PathBuf;

use super::{
    form::{FilePath, Optional},
    setting::{Setting, setting},
};

/// `[policy]`
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// A directory with schema and `*.cedar` files; `None` uses the built-in set.
    pub directory: Option<PathBuf>,
}

pub(in crate::config) const SETTINGS: &[Setting] =
    &[setting!(policy.directory: Optional<FilePath>;
    "directory with schema and `*.cedar` files; `none` uses the built-in set")];
