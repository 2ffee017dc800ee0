//! Where policies come from.

use std::path::PathBuf;

/// `[policy]`
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// A directory with schema and `*.cedar` files; `None` uses the built-in set.
    pub directory: Option<PathBuf>,
}
