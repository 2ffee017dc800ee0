//! Counts since the process started: what `/admin/stats` shows.
//!
//! Every method is a few atomic additions, because it runs for every request. The counts start
//! at zero with the process, so a [`Snapshot`] says since when it counts. Nothing here is
//! labelled with a tenant, a key or any text from outside: the number of counters is bounded.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    histogram::{Histogram, Percentiles},
    refusals::Refusals,
};
use crate::domain::limits::Class;

/// The statuses that have a counter: 100 to 599.
const STATUSES: std::ops::Range<u16> = 100..600;

/// Counters and histograms; every method is a few atomic additions.
#[derive(Debug)]
pub struct Stats {
    /// Why requests were refused lately; shown by id, never counted.
    pub refusals: Refusals,
    since: Timestamp,
    statuses: Box<[AtomicU64]>,
    latency: Histogram,
    auth: [AtomicU64; 4],
    limited: [AtomicU64; 4],
    store_failures: AtomicU64,
    /// Grows by one entry when a tool is called for the first time, so it is read without a
    /// lock; there are as many entries as tools, so a scan beats a hash.
    tools: ArcSwap<Vec<Arc<ToolCounts>>>,
}

/// How a credential check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthOutcome {
    /// Remembered from an earlier check.
    Cached,
    /// Checked with argon2 or against an environment key.
    Verified,
    /// Refused.
    Rejected,
    /// None was presented.
    Missing,
}

/// How a tool call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolOutcome {
    /// Answered.
    Done,
    /// Answered with `isError`.
    Failed,
    /// Refused by policy.
    Denied,
    /// Refused by a limit.
    Limited,
}

#[derive(Debug)]
struct ToolCounts {
    tool: &'static str,
    outcomes: [AtomicU64; 4],
    latency: Histogram,
}

/// The counts at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    /// When counting began: the start of this process.
    pub since: Timestamp,
    /// HTTP responses.
    pub responses: Responses,
    /// Credential checks.
    pub auth: AuthCounts,
    /// Refusals by a limit.
    pub limited: LimitedCounts,
    /// Calls that failed because a store could not be used.
    pub store_failures: u64,
    /// Tool calls, by tool name.
    pub tools: BTreeMap<&'static str, ToolSnapshot>,
}

/// HTTP responses.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Responses {
    /// How many of each status.
    pub by_status: BTreeMap<u16, u64>,
    /// How long they took to begin.
    pub latency: Percentiles,
}

/// How credential checks ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AuthCounts {
    /// Remembered from an earlier check.
    pub cached: u64,
    /// Checked in full.
    pub verified: u64,
    /// Refused.
    pub rejected: u64,
    /// None was presented.
    pub missing: u64,
}

/// Refusals by a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LimitedCounts {
    /// Requests of one address.
    pub address: u64,
    /// Failed credentials.
    pub failures: u64,
    /// Requests of one key.
    pub requests: u64,
    /// Tool calls of one key.
    pub tool_calls: u64,
}

/// The calls of one tool.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ToolSnapshot {
    /// Answered.
    pub done: u64,
    /// Answered with `isError`.
    pub failed: u64,
    /// Refused by policy.
    pub denied: u64,
    /// Refused by a limit.
    pub limited: u64,
    /// How long those took that ran (done and failed).
    pub latency: Percentiles,
}

impl Stats {
    /// Counters at zero, counting since `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            refusals: Refusals::default(),
            since: now,
            statuses: STATUSES.map(|_| AtomicU64::new(0)).collect(),
            latency: Histogram::default(),
            auth: Default::default(),
            limited: Default::default(),
            store_failures: AtomicU64::new(0),
            tools: ArcSwap::default(),
        }
    }

    /// One HTTP response.
    pub fn response(&self, status: u16, duration: Duration) {
        if let Some(count) = self.statuses.get(usize::from(status.wrapping_sub(STATUSES.start))) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.latency.record(duration);
    }

    /// One tool call. `duration` counts only for calls that ran: a refusal is quick and would
    /// make the tool look quick.
    pub fn tool_call(&self, tool: &'static str, outcome: ToolOutcome, duration: Duration) {
        let add = |counts: &ToolCounts| {
            add_one(&counts.outcomes, outcome as usize);
            if matches!(outcome, ToolOutcome::Done | ToolOutcome::Failed) {
                counts.latency.record(duration);
            }
        };
        if let Some(counts) = self.tools.load().iter().find(|c| c.tool == tool) {
            return add(counts);
        }
        self.tools.rcu(|tools| {
            let mut tools = Vec::clone(tools);
            if tools.iter().all(|c| c.tool != tool) {
                tools.push(Arc::new(ToolCounts {
                    tool,
                    outcomes: Default::default(),
                    latency: Histogram::default(),
                }));
            }
            tools
        });
        if let Some(counts) = self.tools.load().iter().find(|c| c.tool == tool) {
            add(counts);
        }
    }

    /// One credential check.
    pub fn auth(&self, outcome: AuthOutcome) {
        add_one(&self.auth, outcome as usize);
    }

    /// One refusal by a limit.
    pub fn limited(&self, class: Class) {
        add_one(&self.limited, class as usize);
    }

    /// One call that failed because a store could not be used.
    pub fn store_failed(&self) {
        self.store_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Calls that failed because a store could not be used.
    #[must_use]
    pub fn store_failures(&self) -> u64 {
        self.store_failures.load(Ordering::Relaxed)
    }

    /// Everything, as it is now. Counters are read one after the other, so two of them may be a
    /// request apart.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let [cached, verified, rejected, missing] = read(&self.auth);
        let [address, failures, requests, tool_calls] = read(&self.limited);
        let by_status = STATUSES
            .zip(self.statuses.iter())
            .map(|(status, count)| (status, count.load(Ordering::Relaxed)))
            .filter(|(_, count)| *count > 0)
            .collect();
        Snapshot {
            since: self.since,
            responses: Responses { by_status, latency: self.latency.percentiles() },
            auth: AuthCounts { cached, verified, rejected, missing },
            limited: LimitedCounts { address, failures, requests, tool_calls },
            store_failures: self.store_failures(),
            tools: self.tools.load().iter().map(|c| (c.tool, c.snapshot())).collect(),
        }
    }
}

impl ToolCounts {
    fn snapshot(&self) -> ToolSnapshot {
        let [done, failed, denied, limited] = read(&self.outcomes);
        ToolSnapshot { done, failed, denied, limited, latency: self.latency.percentiles() }
    }
}

fn add_one(counters: &[AtomicU64; 4], index: usize) {
    if let Some(counter) = counters.get(index) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// In the order of the enum whose value is the index: [`AuthOutcome`], [`Class`],
/// [`ToolOutcome`].
fn read(counters: &[AtomicU64; 4]) -> [u64; 4] {
    counters.each_ref().map(|c| c.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats() -> Stats {
        Stats::new("2026-07-28T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn every_event_lands_in_its_own_count() {
        let stats = stats();
        let ms = Duration::from_millis(1);
        stats.response(200, ms);
        stats.response(200, ms);
        stats.response(429, ms);
        stats.store_failed();
        for (outcome, times) in [
            (AuthOutcome::Cached, 4),
            (AuthOutcome::Verified, 3),
            (AuthOutcome::Rejected, 2),
            (AuthOutcome::Missing, 1),
        ] {
            (0..times).for_each(|_| stats.auth(outcome));
        }
        for (class, times) in
            [(Class::Address, 1), (Class::Failures, 2), (Class::Requests, 3), (Class::ToolCalls, 4)]
        {
            (0..times).for_each(|_| stats.limited(class));
        }
        let now = stats.snapshot();
        assert_eq!(now.responses.by_status, BTreeMap::from([(200, 2), (429, 1)]));
        assert_eq!(now.responses.latency.count, 3);
        assert_eq!(now.auth, AuthCounts { cached: 4, verified: 3, rejected: 2, missing: 1 });
        let limited = LimitedCounts { address: 1, failures: 2, requests: 3, tool_calls: 4 };
        assert_eq!(now.limited, limited);
        assert_eq!(now.store_failures, 1);
    }

    #[test]
    fn a_refused_call_does_not_make_a_tool_look_quick() {
        let stats = stats();
        for outcome in
            [ToolOutcome::Done, ToolOutcome::Failed, ToolOutcome::Denied, ToolOutcome::Limited]
        {
            stats.tool_call("echo", outcome, Duration::from_millis(8));
        }
        stats.tool_call("get_time", ToolOutcome::Done, Duration::from_millis(1));
        let tools = stats.snapshot().tools;
        let echo = tools["echo"];
        assert_eq!((echo.done, echo.failed, echo.denied, echo.limited), (1, 1, 1, 1));
        assert_eq!(echo.latency.count, 2);
        assert_eq!(tools["get_time"].done, 1);
    }

    #[test]
    fn first_calls_at_once_lose_no_count() {
        let stats = stats();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        stats.tool_call("echo", ToolOutcome::Done, Duration::ZERO);
                        stats.tool_call("get_time", ToolOutcome::Done, Duration::ZERO);
                    }
                });
            }
        });
        let tools = stats.snapshot().tools;
        assert_eq!((tools["echo"].done, tools["get_time"].done), (2000, 2000));
    }

    #[test]
    fn a_status_outside_the_table_is_no_panic() {
        let stats = stats();
        for status in [0, 99, 600, u16::MAX] {
            stats.response(status, Duration::ZERO);
        }
        assert!(stats.snapshot().responses.by_status.is_empty());
    }
}
