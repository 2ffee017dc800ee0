//! What all sessions add up to.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use serde::Serialize;

/// Sums over all sessions, ended ones and earlier runs of the process included. A process that
/// is killed loses at most the last ten seconds of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// When counting began: the first start on this data directory.
    pub counted_since: Timestamp,
    /// Sessions opened.
    pub sessions: u64,
    /// Requests.
    pub calls: u64,
    /// How many of them failed.
    pub errors: u64,
    /// Request bytes.
    pub bytes_in: u64,
    /// Answer bytes.
    pub bytes_out: u64,
}

/// The running sums, shared by all sessions.
#[derive(Debug)]
pub(super) struct Counts {
    since: Timestamp,
    pub(super) sessions: AtomicU64,
    pub(super) calls: AtomicU64,
    pub(super) errors: AtomicU64,
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
}

impl Counts {
    pub(super) fn new(start: &Totals) -> Self {
        Self {
            since: start.counted_since,
            sessions: AtomicU64::new(start.sessions),
            calls: AtomicU64::new(start.calls),
            errors: AtomicU64::new(start.errors),
            bytes_in: AtomicU64::new(start.bytes_in),
            bytes_out: AtomicU64::new(start.bytes_out),
        }
    }

    pub(super) fn read(&self) -> Totals {
        let value = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Totals {
            counted_since: self.since,
            sessions: value(&self.sessions),
            calls: value(&self.calls),
            errors: value(&self.errors),
            bytes_in: value(&self.bytes_in),
            bytes_out: value(&self.bytes_out),
        }
    }
}
