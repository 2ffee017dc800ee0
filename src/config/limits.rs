//! Rates and counts.

use std::{collections::BTreeMap, time::Duration};

use crate::domain::{limits::Rate, rate_class::RateClass};

use super::{
    form::{
        Count, Optional,
        rate::{Classes, Rates},
        time::Time,
    },
    setting::{Setting, setting},
};

/// `[limits]`
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests from one address (IPv6: one /64), before auth.
    pub per_address: Rate,
    /// Addresses remembered; while so many are under way, a new one is refused.
    pub max_addresses: usize,
    /// Failed credentials from one address, and for one key id.
    pub failures: Rate,
    /// Requests of one key.
    pub per_key: Rate,
    /// Rates that single keys have in the place of `per_key`.
    pub classes: BTreeMap<RateClass, Rate>,
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
            classes: BTreeMap::new(),
            tool_calls_per_key: None,
            concurrency_per_tenant: 64,
            streams_per_tenant: 128,
            sessions_per_tenant: 64,
            sessions: 2048,
            session_idle: Duration::from_mins(30),
            ended_for: Duration::from_mins(10),
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

pub(in crate::config) const SETTINGS: &[Setting] = &[
    setting!(limits.per_address: Rates; "requests of one address (IPv6: one /64), before auth"),
    setting!(limits.max_addresses: Count<usize>, 1000..=10_000_000;
        "addresses remembered for the limits above"),
    setting!(limits.failures: Rates; "failed credentials of one address, and for one key id"),
    setting!(limits.per_key: Rates; "requests of one key"),
    setting!(limits.classes: Classes;
        "rates that keys can be given in the place of `limits.per_key`"),
    setting!(limits.tool_calls_per_key: Optional<Rates>;
        "tool calls of one key; `none` counts them as requests only"),
    setting!(limits.concurrency_per_tenant: Count<usize>, 1..=65_536;
        "requests of one tenant under way at once"),
    setting!(limits.streams_per_tenant: Count<usize>, 1..=65_536; "open streams of one tenant"),
    setting!(limits.sessions_per_tenant: Count<usize>, 1..=1_000_000;
        "protocol sessions of one tenant"),
    setting!(limits.sessions: Count<usize>, 1..=1_000_000; "protocol sessions overall"),
    setting!(limits.session_idle: Time, SECOND..=DAY;
        "a session without requests ends after this"),
    setting!(limits.ended_for: Time, SECOND..=DAY;
        "a client whose session an operator ended is refused for so long"),
];
