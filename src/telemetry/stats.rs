//! Counts since the process started: what `/admin/stats` shows.

use std::time::Duration;

use crate::domain::limits::Class;

/// Counters and histograms; every method is a few atomic additions.
#[derive(Debug, Default)]
pub struct Stats {}

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

impl Stats {
    /// One HTTP response.
    pub fn response(&self, status: u16, duration: Duration) {
        let _ = (status, duration);
        todo!()
    }

    /// One tool call.
    pub fn tool_call(&self, tool: &'static str, outcome: ToolOutcome, duration: Duration) {
        let _ = (tool, outcome, duration);
        todo!()
    }

    /// One credential check.
    pub fn auth(&self, outcome: AuthOutcome) {
        let _ = outcome;
        todo!()
    }

    /// One refusal by a limit.
    pub fn limited(&self, class: Class) {
        let _ = class;
        todo!()
    }
}
