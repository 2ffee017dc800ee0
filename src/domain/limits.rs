//! Limits with their units.

use std::{fmt, num::NonZeroU32, time::Duration};

/// Longer windows count as this long: limiters count nanoseconds in 64 bits.
const LONGEST_WINDOW: Duration = Duration::from_hours(10 * 366 * 24);

/// So many in a window: `requests` may come at once, and come back evenly over `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many in one window.
    pub requests: NonZeroU32,
    /// The window.
    pub window: Duration,
}

impl Rate {
    /// `requests` (at least 1) in `seconds` (at least 1).
    #[must_use]
    pub fn new(requests: u32, seconds: u64) -> Self {
        Self {
            requests: NonZeroU32::new(requests).unwrap_or(NonZeroU32::MIN),
            window: Duration::from_secs(seconds.max(1)),
        }
    }

    /// How long it takes until one more may come: the window, evenly shared out.
    #[must_use]
    pub fn interval(&self) -> Duration {
        (self.window.min(LONGEST_WINDOW) / self.requests.get()).max(Duration::from_nanos(1))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {} s", self.requests, self.window.as_secs())
    }
}

/// Which limit was reached; the name stands in `RateLimit-Policy` and in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Requests from one address, before anybody is known.
    Address,
    /// Failed credentials.
    Failures,
    /// Requests of one key.
    Requests,
    /// Tool calls of one key.
    ToolCalls,
}

impl Class {
    /// The policy name in headers and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Failures => "failures",
            Self::Requests => "requests",
            Self::ToolCalls => "tool-calls",
        }
    }
}

/// What there may be so many of at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AtOnce {
    /// Requests of one tenant under way.
    Requests,
    /// Open streams of one tenant.
    Streams,
    /// Protocol sessions of one tenant.
    Sessions,
    /// Protocol sessions of the whole deployment.
    AllSessions,
}

impl AtOnce {
    /// The policy name in headers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests-at-once",
            Self::Streams => "streams",
            Self::Sessions => "sessions",
            Self::AllSessions => "all-sessions",
        }
    }
}

/// One limit and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// So many in a window.
    Rate(Class, Rate),
    /// So many at once.
    Places(AtOnce, usize),
}

/// A limit that was reached: nothing of it is left until `retry_after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Which, and how much it allows.
    pub limit: Limit,
    /// When a retry can succeed.
    pub retry_after: Duration,
}
