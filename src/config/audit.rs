//! The audit log.

use std::{path::PathBuf, time::Duration};

use super::{
    form::{FilePath, Optional, size::Size, time::Time},
    setting::{Setting, setting},
};

/// `[audit]`
#[derive(Debug, Clone)]
pub struct Audit {
    /// The Ed25519 key (PKCS #8, PEM) that signs checkpoints; `None` makes one beside the log.
    pub signing_key: Option<PathBuf>,
    /// What was recorded is signed within this, and every thousand records.
    pub checkpoint_interval: Duration,
    /// A file of the log is followed by the next when it has grown so large.
    pub segment_bytes: usize,
    /// Files whose last record is older are removed.
    pub keep: Duration,
    /// And the oldest files, when all of them together are larger.
    pub max_bytes: usize,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            signing_key: None,
            checkpoint_interval: Duration::from_mins(1),
            segment_bytes: 16 << 20,
            keep: Duration::from_hours(24 * 400),
            max_bytes: 16 << 30,
        }
    }
}

pub(in crate::config) const SETTINGS: &[Setting] = &[
    setting!(audit.signing_key: Optional<FilePath>;
        "Ed25519 key (PEM) that signs checkpoints; `none` makes one beside the log"),
    setting!(audit.checkpoint_interval: Time, Duration::from_secs(1)..=Duration::from_hours(24);
        "what was recorded is signed within this, and every thousand records"),
    setting!(audit.segment_bytes: Size, 64 << 10..=1 << 30;
        "a file of the log is followed by the next when it has grown so large"),
    setting!(audit.keep: Time, Duration::from_hours(24)..=Duration::from_hours(24 * 3660);
        "files whose last record is older are removed"),
    setting!(audit.max_bytes: Size, 1 << 20..=1 << 40;
        "the oldest files are removed when all of them together are larger"),
];
