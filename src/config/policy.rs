//! Where policies come from.

use std::{path::PathBuf, time::Duration};

use super::{
    form::{FilePath, Optional, time::Time},
    setting::{Setting, setting},
};

/// `[policy]`
#[derive(Debug, Clone)]
pub struct Policy {
    /// A directory with schema and `*.cedar` files; `None` uses the built-in set.
    pub directory: Option<PathBuf>,
    /// How often the directory is looked at for a change.
    pub reload_interval: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { directory: None, reload_interval: Duration::from_secs(5) }
    }
}

pub(in crate::config) const SETTINGS: &[Setting] = &[
    setting!(policy.directory: Optional<FilePath>;
        "directory with schema and `*.cedar` files; `none` uses the built-in set"),
    setting!(policy.reload_interval: Time, Duration::from_millis(100)..=Duration::from_hours(24);
        "how often the directory is looked at for a change"),
];
