//! Rates and counts.

use std::time::Duration;

use crate::domain::limits::Rate;

/// `[limits]`
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests from one address (IPv6: one /64), before auth.
    pub per_address: Rate,
    /// Addresses remembered; beyond it the longest unseen is forgotten.
    pub max_addresses: usize,
    /// Failed credentials from one address, and for one key id.
    pub failures: Rate,
    /// Requests of one key.
    pub per_key: Rate,
    /// Tool calls of one key; `None` means only `per_key` counts.
    pub tool_calls_per_key: Option<Rate>,
    /// Requests of one tenant under way at once (open streams not counted).
    pub concurrency_per_tenant: usize,
    /// Open streams of one tenant.
    pub streams_per_tenant: usize,
    /// Protocol sessions (2025 revisions) of one tenant.
    pub sessions_per_tenant: usize,
    /// Protocol sessions overall.
    pub sessions: usize,
    /// A session without requests ends after this.
    pub session_idle: Duration,
    /// A client whose session an operator ended is refused for so long.
    pub ended_for: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_address: Rate::new(6000, 60),
            max_addresses: 100_000,
            failures: Rate::new(30, 60),
            per_key: Rate::new(600, 60),
            tool_calls_per_key: None,
            concurrency_per_tenant: 64,
            streams_per_tenant: 128,
            sessions_per_tenant: 64,
            sessions: 2048,
            session_idle: Duration::from_secs(1800),
            ended_for: Duration::from_secs(600),
        }
    }
}
