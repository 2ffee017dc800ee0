//! What a limiter says: allowed or not, how much is left, when it is better.
//!
//! One answer, three shapes: numbers here, an [`Error`] for whoever stops at it, header values
//! in [`headers`](super::headers).

use std::time::Duration;

use crate::domain::{
    Error, Kind, Result,
    limits::{Class, Limit, Rate, Reached},
};

/// One answer of one limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Which limit.
    pub class: Class,
    /// Its quota.
    pub rate: Rate,
    /// Whether the request may go on.
    pub allowed: bool,
    /// How many more may come at once.
    pub remaining: u32,
    /// Until one more may come (0 while `remaining` is not 0).
    pub retry_after: Duration,
}

impl Decision {
    /// Nothing when allowed, the error to stop with when not.
    ///
    /// # Errors
    /// `LimitReached`, with a sentence that an agent can act on.
    pub fn check(&self) -> Result<()> {
        if self.allowed {
            return Ok(());
        }
        let what = match self.class {
            Class::Address => "requests from this address",
            Class::Failures => "failed attempts",
            Class::Requests => "requests of this key",
            Class::ToolCalls => "tool calls of this key",
        };
        let seconds = whole_seconds(self.retry_after);
        Err(Error::new(
            Kind::LimitReached(self.reached()),
            format!("too many {what} (limit {}); retry in {seconds} s", self.rate),
        ))
    }

    /// The numbers of a refusal.
    #[must_use]
    pub fn reached(&self) -> Reached {
        Reached { limit: Limit::Rate(self.class, self.rate), retry_after: self.retry_after }
    }
}

/// Rounded up, and never 0: a client that waits so long is not refused again.
#[must_use]
pub fn whole_seconds(time: Duration) -> u64 {
    let rest = u64::from(time.subsec_nanos() > 0);
    time.as_secs().saturating_add(rest).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up_and_never_zero() {
        let nanos = |n| whole_seconds(Duration::from_nanos(n));
        assert_eq!([nanos(0), nanos(1), nanos(1_000_000_000), nanos(1_000_000_001)], [1, 1, 1, 2]);
        assert_eq!(whole_seconds(Duration::MAX), u64::MAX);
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let decision = Decision {
            class: Class::Requests,
            rate: Rate::new(100, 3600),
            allowed: false,
            remaining: 0,
            retry_after: Duration::from_millis(11_200),
        };
        let error = decision.check().unwrap_err();
        assert_eq!(
            error.public(),
            "too many requests of this key (limit 100 per 3600 s); retry in 12 s"
        );
        assert!(Decision { allowed: true, ..decision }.check().is_ok());
    }
}
