//! The crate's clock and rates in the words of `governor`.
//!
//! `governor` asks a clock of its own kind. This adaptor hands it the monotonic clock that the
//! rest of the crate uses, so a test that moves a `ManualClock` moves the limits too.

use std::{sync::Arc, time::Duration};

use governor::Quota;

use crate::domain::{clock::Clock, limits::Rate};

/// `domain::clock::Clock` as a `governor::clock::Clock`.
#[derive(Debug, Clone)]
pub(super) struct Ticks(pub(super) Arc<dyn Clock>);

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

/// All of `rate.requests` at once, then one more every `window / requests`.
pub(super) fn quota(rate: Rate) -> Quota {
    Quota::with_period(rate.interval())
        .map_or(Quota::per_second(rate.requests), |quota| quota.allow_burst(rate.requests))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rate_is_out_of_range() {
        for (requests, seconds) in [(1, 1), (u32::MAX, 1), (1, u64::MAX), (u32::MAX, u64::MAX)] {
            let quota = quota(Rate::new(requests, seconds));
            assert_eq!(quota.burst_size().get(), requests);
            assert!(!quota.replenish_interval().is_zero());
        }
    }
}
